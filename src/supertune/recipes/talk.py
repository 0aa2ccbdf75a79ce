"""A conversation with a model that writes: what was said is kept, and written by the template of its training."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from supertune.contracts import Columns, Head, Layout
from supertune.conversations import Conversation, Message
from supertune.data import conversations_in
from supertune.errors import UserError
from supertune.generate import Generated, GenerationSettings, prompt_room, stream
from supertune.message_lists import answer_of, messages_in, tools_in
from supertune.models import load_tokenizer, load_with_head, resolve
from supertune.recipes.predict_written import author_of, prompts_of
from supertune.recipes.saved import SavedModel, model_of_run, open_saved
from supertune.recipes.template import check_writes
from supertune.recipes.typed import typed_fields, typed_table
from supertune.recipes.writing_choices import WritingChoices
from supertune.recipes.written import Author
from supertune.runs import open_run
from supertune.strategies import build_strategy
from supertune.tasks import ChatTask, GenerationTask, RowProblemError, WritingSettings, probed

_PROBE = "a"
_NEXT = ("\n### User:", "\n### System:")
"""What begins the next turn where turns have headings: a model that never learned them does not know where to stop."""
_UNTRAINED_LENGTH = 1024
"""Tokens that a model may write which nobody has trained, so that nobody knows how long its answers are."""


@dataclass(frozen=True)
class Turn:
    """What was said, and what was answered.

    Attributes:
        typed: What was typed.
        asked: The messages that it became.
        answer: What the model wrote.
        ended: What ended it; ``interrupted`` where somebody did.
    """

    typed: tuple[str, ...]
    asked: tuple[Message, ...]
    answer: Message
    ended: str


class Talk:
    """A conversation as it grows.

    Args:
        saved: A model that writes.
        choices: How to write.
        tell: Gets what is to be known beside the answers, a sentence each.
        stop_strings: What ends an answer beside the tokens that the model has learned.

    Attributes:
        fields: What is typed for each turn.
        plain: The model goes on with texts, and answers nobody.
        together: What was said before is known to the model.
        turns: What was said, in order.
        choices: How to write; may be changed between turns.

    Raises:
        UserError: The model writes nothing, or a choice means nothing.
    """

    def __init__(
        self,
        saved: SavedModel,
        choices: WritingChoices,
        tell: Callable[[str], None],
        stop_strings: tuple[str, ...] = (),
    ) -> None:
        if not isinstance(saved.task, GenerationTask):
            raise UserError(
                f"this model was trained for {saved.task.name} and writes nothing",
                fix="supertune predict asks it; models that write are trained with --task chat, summarization, "
                "translation, generative-qa or text",
            )
        self._saved, self._tell, self._stops = saved, tell, stop_strings
        self._told = self._drawn = 0
        self.turns: list[Turn] = []
        self.choices = choices
        author_of(saved, choices)
        self.fields = tuple(field.name for field in typed_fields(saved.task))
        layout = saved.task.columns.layout
        assert layout is not None
        self.plain = layout.format == "text"
        own_words = len(self.fields) == 1 and self._asked((_PROBE,))[-1].content == _PROBE
        self.together = own_words and not self.plain and (layout.prompt is None or saved.task.name == "chat")

    @property
    def system(self) -> str | None:
        """The system message; None where there is none."""
        layout = author_of(self._saved, self.choices)[0].task.columns.layout
        assert layout is not None
        return layout.system

    def change(self, choices: WritingChoices) -> None:
        """Write otherwise from now on.

        Raises:
            UserError: A choice means nothing.
        """
        author_of(self._saved, choices)
        self.choices = choices

    def reset(self) -> None:
        """Forget what was said."""
        self.turns.clear()
        self._told = 0

    def undo(self) -> Turn | None:
        """Take the last turn back, and return it; None where there is none."""
        self._told = min(self._told, max(len(self.turns) - 1, 0))
        return self.turns.pop() if self.turns else None

    def say(self, *typed: str) -> Generator[str, None, None]:
        """The answer in pieces, as it is written; it is kept, whole or up to where the iterator was closed.

        What was said before goes before it, as far as there is room in the model's window: the oldest turns are left
        out first, which is told. Models that were asked in other words than the user's own know nothing of it.

        Raises:
            UserError: The template refuses it, or it is too long by itself.
        """
        asked = self._asked(typed)
        author, settings = author_of(self._saved, self.choices)
        prompt = self._prompt(author, settings, asked)
        settings = replace(settings, seed=settings.seed + self._drawn, stop_strings=self._stops)
        self._drawn += 1
        pieces: list[str] = []
        endings: list[Generated] = []
        try:
            for piece in stream(author.model, prompt, settings, decode=author.decode, done=endings.append):
                # What stands before the first word is no part of an answer.
                said = piece if pieces or self.plain else piece.lstrip()
                if said:
                    pieces.append(said)
                    yield said
        finally:
            ended = endings[0].ended if endings else "interrupted"
            if pieces or endings:
                text = "".join(pieces)
                answer = Message("assistant", text) if self.plain else answer_of(text.strip())
                self.turns.append(Turn(typed, asked, answer, ended))

    def messages(self) -> list[dict[str, str]]:
        """What was said, as a list of messages; of a model that goes on with texts both halves of each."""
        if self.plain:
            return self._written(self.turns)
        return [message for row in self.rows() for message in row["messages"]]

    def rows(self) -> list[dict[str, Any]]:
        """What was said as rows to train on: one where what was said before was known, else one for every turn."""
        if self.plain:
            return [{"text": turn.asked[-1].content + turn.answer.content} for turn in self.turns]
        groups = [self.turns] if self.together else [[turn] for turn in self.turns]
        return [{"messages": self._written(turns)} for turns in groups if turns]

    def _written(self, turns: Sequence[Turn]) -> list[dict[str, str]]:
        system = self.system
        found = [{"role": "system", "content": system}] if system else []
        for turn in turns:
            found += [
                {"role": "user" if self.plain else message.role, "content": message.content} for message in turn.asked
            ]
            thought = f"<think>\n{turn.answer.reasoning}\n</think>\n\n" if turn.answer.reasoning else ""
            found.append({"role": "assistant", "content": thought + turn.answer.content})
        return found

    def _asked(self, typed: Sequence[str]) -> tuple[Message, ...]:
        """What was typed as messages, without what the system says."""
        task = self._saved.task
        assert isinstance(task, GenerationTask)
        (conversation,) = conversations_in(typed_table(task, [typed], "what was typed"), task.columns)
        return tuple(message for message in conversation.messages if message.role != "system")

    def _prompt(self, author: Author, settings: GenerationSettings, asked: tuple[Message, ...]) -> Any:
        system = (Message("system", self.system),) if self.system and not self.plain else ()
        room = prompt_room(author.model, settings)
        earliest = self._told if self.together else len(self.turns)
        for first in range(earliest, len(self.turns) + 1):
            before = [message for turn in self.turns[first:] for message in (*turn.asked, turn.answer)]
            conversation = Conversation((*system, *before, *asked), plain=self.plain)
            prompt = prompt_of(author, conversation)
            if room is None or len(prompt) <= room:
                if first > earliest:
                    turns = "turn is" if first == 1 else f"{first} turns are"
                    self._tell(f"the first {turns} left out: the model's window is full")
                    self._told = first
                return prompt
        raise UserError(
            f"has {len(prompt):,} tokens, and {room:,} is most that leaves room for an answer",
            where="what was typed",
            fix="shorten it, or ask for fewer new tokens (--max-new-tokens)",
        )


def prompt_of(author: Author, conversation: Conversation) -> Any:
    """What the model is given to answer a conversation, int32 (tokens,).

    Raises:
        UserError: The template refuses it.
    """
    try:
        (prompt,) = prompts_of(author, [conversation])
    except RowProblemError as problem:
        raise UserError(f"this cannot be asked: {problem}", fix="say it otherwise") from problem
    return prompt


def answer_to(
    saved: SavedModel,
    messages: str | Sequence[Mapping[str, Any]],
    choices: WritingChoices,
    tools: object = None,
) -> Iterator[str]:
    """What a model answers to messages, or to a text as it was trained to be asked, in pieces as it is written.

    Args:
        saved: A model that writes.
        messages: As OpenAI's API takes them, the last one to be answered; or what is typed.
        choices: How to write.
        tools: Functions that may be called.

    Raises:
        UserError: The model writes nothing, or the messages cannot be read or are refused by the template.
    """
    if isinstance(messages, str):
        return Talk(saved, choices, lambda _: None).say(messages)
    task = saved.task
    if not isinstance(task, GenerationTask) or task.written_metric is None:
        raise UserError("this model answers no messages", fix="supertune predict asks it")
    author, settings = author_of(saved, choices)
    layout = author.task.columns.layout
    assert layout is not None
    try:
        said = messages_in(list(messages), layout.roles)
        functions = tools_in(tools)
    except ValueError as error:
        raise UserError(str(error), where="messages", fix='[{"role": "user", "content": "…"}]') from error
    if layout.system and not any(message.role == "system" for message in said[:1]):
        said = [Message("system", layout.system), *said]
    prompt = prompt_of(author, Conversation(tuple(said), functions))
    return stream(author.model, prompt, settings, decode=author.decode)


@dataclass(frozen=True)
class Writing:
    """A model that writes, from wherever it is.

    Attributes:
        saved: It.
        stop_strings: What ends an answer beside the tokens that it has learned.
        trained: Whether somebody has trained it here.
    """

    saved: SavedModel
    stop_strings: tuple[str, ...] = ()
    trained: bool = True


def open_writer(name: str) -> Writing:
    """A run's model, a folder of one, or a pre-trained model by the name, folder or hub id that ``--model`` takes.

    Raises:
        UserError: There is none of that name, or it is damaged.
    """
    path = Path(name).expanduser()
    if not path.exists() and path.parent != Path() and path.parent.is_dir():
        # Not the name of a model: runs that are meant are told.
        open_run(path)
    found = model_of_run(name)
    if found is not None:
        return Writing(open_saved(found))
    source = resolve(name)
    check_writes(source)
    length = source.max_positions
    tokenizer = load_tokenizer(source, max_length=length)
    columns = Columns(("messages",), answers="generated", layout=Layout("messages", {"messages": "messages"}))
    task = ChatTask(columns, WritingSettings(max_new_tokens=min(_UNTRAINED_LENGTH, length // 2)))
    model = load_with_head(source, Head("AutoModelForCausalLM", {}), pad_token_id=tokenizer.pad_token_id)
    own = tokenizer.chat_template is not None
    greeting = Conversation((Message("user", "Hello."), Message("assistant", "Hello.")))
    stops = probed(task.encoder(tokenizer, length), [greeting]).stops
    base = {"name": source.name, "sha256": source.sha256, "license": source.license}
    saved = SavedModel(model, tokenizer, task.ending(list(stops)), length, base, build_strategy("full", {}))
    return Writing(saved, () if own else _NEXT, trained=False)
