"""Conversations as texts with the characters that carry loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from supertune.conversations import Conversation, Message
from supertune.errors import UserError
from supertune.tasks.chat_template import ChatTemplate, RefusedByTemplateError, as_dict, plain
from supertune.tasks.control_tokens import control_tokens, holds_secrets, unmarked
from supertune.tasks.loss_spans import Reasoning, RowProblemError, Span, Spelling
from supertune.tasks.skeletons import Skeleton, skeleton_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Learn = Literal["answers", "last", "all", "template"]
Rewritten = Literal["error", "last", "each"]

RENDERING_VERSION = 1
"""Counts up when the same rows would become other tokens or weights."""

_MOST_SHAPES = 4096


@dataclass(frozen=True)
class RenderingSettings:
    """What of a conversation is learned.

    Attributes:
        learn: ``answers`` (every message of the assistant), ``last`` (its last one), ``all`` (the whole text), or
            ``template`` (what the template's own ``{% generation %}`` blocks surround). What a message says of itself
            (`Message.train`) goes before ``answers`` and ``last``.
        reasoning: ``keep`` learns what the assistant thought, ``mask`` shows it without learning it, ``drop`` leaves it
            out.
        rewritten: What becomes of a row of which the template writes earlier turns anew when more follow: ``error``,
            ``last`` learns its last answer only, ``each`` makes an item of every answer, each as it was given.
    """

    learn: Learn = "answers"
    reasoning: Reasoning = "keep"
    rewritten: Rewritten = "error"


@dataclass(frozen=True)
class Rendered:
    """One text to learn from.

    Attributes:
        text: All of it, special tokens included.
        spans: The characters that carry loss, in order and apart.
        stops: The tokens that end what is learned, one for each span that has one.
        typed: Where somebody's text spells a control token that must stay text.
        surrounds: Tokens (contents) that stand before and after ``text``'s own tokens without being looked for in it:
            those that a tokenizer puts around a plain text. Part of ``text`` as well.
        appended: Characters at the end of ``text`` that the template does not write, a stop token.
        rewritten: Whether the row was learned in another way because the template writes earlier turns anew.
        unstopped: Answers that no token ends.
        reading: What an encoder reads before its decoder writes ``text``; None where one model reads and writes.
    """

    text: str
    spans: tuple[Span, ...]
    stops: tuple[str, ...] = ()
    typed: tuple[tuple[int, int], ...] = ()
    surrounds: tuple[str, str] = ("", "")
    appended: int = 0
    rewritten: bool = False
    unstopped: int = 0
    reading: Rendered | None = None

    def of(self, text: str, spans: tuple[Span, ...]) -> Rendered:
        """What else holds of it, of another text in which nobody spells a control token."""
        return Rendered(text, spans, self.stops, (), self.surrounds, self.appended, self.rewritten, self.unstopped)


@dataclass
class Renderer:
    """Writes conversations by one template.

    Args:
        tokenizer: As `supertune.tasks.chat_template.adopt_template` left it.
        template: What that gave.
        settings: What is learned.

    Raises:
        UserError: The template's own marks are asked for, and it has none.
    """

    tokenizer: PreTrainedTokenizerBase
    template: ChatTemplate
    settings: RenderingSettings = field(default_factory=RenderingSettings)

    encoder_decoder = False

    def __post_init__(self) -> None:
        if self.settings.learn == "template" and not self.template.has_marks:
            raise UserError(
                "the chat template has no {% generation %} blocks that say what the assistant writes",
                where="task.learn",
                fix="set it to answers, which finds them without",
            )
        if self.settings.learn == "all" and self.settings.reasoning == "mask":
            raise UserError(
                "the whole text is to be learned, and the reasoning in it is not",
                where="task.reasoning",
                fix="set it to keep or drop, or task.learn to answers",
            )
        self.control = control_tokens(self.tokenizer, (self.template.text, self.template.with_tools))
        self._frame = plain_frame(self.tokenizer)
        self._seen: set[object] = set()
        self._skeletons: dict[object, Skeleton | None] = {}

    @property
    def identity(self) -> list[object]:
        """What decides, beside tokenizer and rows, which tokens carry loss, as JSON: for what is kept on disk."""
        template = [self.template.text, self.template.with_tools, dict(self.template.variables)]
        return [RENDERING_VERSION, *template, self.settings.learn, self.settings.reasoning, self.settings.rewritten]

    def render(self, conversation: Conversation) -> list[Rendered]:
        """The texts to learn from: one, or with ``rewritten=each`` one for every answer.

        Raises:
            RowProblemError: It cannot be learned as it is.
        """
        careful = self.control.spelled_in(conversation)
        if careful and holds_secrets(conversation):
            raise RowProblemError("typed", "it holds characters (U+FDD0, U+FDD1 or of the last plane) set apart")
        if conversation.plain:
            return [self._plain(conversation.messages[0], careful=careful)]
        shape = None if careful else self._shape(conversation)
        if shape is not None:
            quick = self._quick(shape, conversation)
            if quick is not None:
                return [quick]
        if not careful:
            return self._items(conversation)
        found = [_without_marks(item) for item in self._items(self.control.typed(conversation))]
        self._check_same(conversation, found[-1])
        return found

    def prompt(self, conversation: Conversation) -> Rendered:
        """What the model is given to go on with: the messages, and what its answer begins with.

        Raises:
            RowProblemError: The template refuses the messages.
        """
        return self._shown(conversation, prompt=True)

    def unlearned(self, conversation: Conversation) -> Rendered:
        """The conversation as the template writes it, with loss on nothing: to be looked at where `render` raises.

        Raises:
            RowProblemError: The template refuses the messages.
        """
        return self._shown(conversation, prompt=False)

    def _shown(self, conversation: Conversation, *, prompt: bool) -> Rendered:
        if self.control.spelled_in(conversation):
            if holds_secrets(conversation):
                raise RowProblemError("typed", "it holds characters set apart")
            conversation = self.control.typed(conversation)
        if conversation.plain:
            text = self._frame[0] + conversation.messages[0].content
            found = unmarked(text)
            return Rendered(found.text, (), typed=found.typed, surrounds=(self._frame[0], ""))
        try:
            text = self.template.render(self._dicts(conversation), _tools(conversation), prompt=prompt)
        except RefusedByTemplateError as error:
            raise RowProblemError("refused", f"the chat template refuses it: {error}") from error
        found = unmarked(text)
        return Rendered(found.text, (), typed=found.typed)

    def _plain(self, message: Message, *, careful: bool) -> Rendered:
        before, after = self._frame
        weight = 0.0 if message.train is False else message.weight
        content = message.content
        typed: tuple[tuple[int, int], ...] = ()
        if careful:
            pieces = self.control.typed(Conversation((message,), plain=True)).messages[0].content
            typed = tuple((len(before) + begin, len(before) + end) for begin, end in unmarked(pieces).typed)
        text = before + content + after
        span = Span(len(before), len(text), weight)
        return Rendered(
            text,
            (span,) if weight else (),
            stops=(after,) if after and weight else (),
            typed=typed,
            surrounds=(before, after),
            unstopped=0 if after or not weight else 1,
        )

    def _items(self, conversation: Conversation) -> list[Rendered]:
        if self.settings.learn == "template":
            return [self._by_marks(conversation)]
        learned = learned_messages(conversation.messages, self.settings.learn)
        if not learned and self.settings.learn != "all":
            raise RowProblemError("unanswered", "no message of it is to be learned: it has no answer")
        try:
            return [self._item(conversation, learned)]
        except RowProblemError as problem:
            if problem.kind != "history" or self.settings.rewritten == "error" or self.settings.learn == "all":
                raise
        if self.settings.rewritten == "last":
            learned = dict([max(learned.items())])
            return [replace(self._item(conversation, learned), rewritten=True)]
        found = []
        for index, weight in learned.items():
            upto = replace(conversation, messages=conversation.messages[: index + 1])
            found.append(replace(self._item(upto, {index: weight}), rewritten=True))
        return found

    def _item(self, conversation: Conversation, learned: Mapping[int, float]) -> Rendered:
        """The conversation with loss on some messages: number → weight."""
        spelling = Spelling(self.template, self.control, self._dicts(conversation), _tools(conversation))
        _check_written(conversation, spelling.text)
        everything = self.settings.learn == "all"
        last = max((i for i, each in enumerate(conversation.messages) if each.role == "assistant"), default=-1)
        turns = {
            index: (spelling.turn(index, self.settings.reasoning), weight)
            for index, weight in learned.items()
            if not everything or weight != 1.0 or index == last
        }
        text = max((turn.text for turn, _ in turns.values()), key=len, default=spelling.text)
        spans = [Span(turn.begin, turn.end, weight) for turn, weight in turns.values()]
        kept = [turn for index, (turn, weight) in turns.items() if weight and not (everything and index != last)]
        return Rendered(
            text,
            tuple(_everything(spans, len(text)) if everything else [span for span in spans if span.weight]),
            stops=tuple(turn.stop for turn in kept if turn.stop is not None),
            appended=len(text) - len(spelling.text),
            unstopped=sum(turn.stop is None for turn in kept),
        )

    def _by_marks(self, conversation: Conversation) -> Rendered:
        try:
            text, marks = self.template.marked(self._dicts(conversation), _tools(conversation))
        except RefusedByTemplateError as error:
            raise RowProblemError("refused", f"the chat template refuses it: {error}") from error
        _check_written(conversation, text)
        answers = [message for message in conversation.messages if message.role == "assistant"]
        weights = [0.0 if answer.train is False else answer.weight for answer in answers]
        if len(marks) != len(answers):
            if any(weight != 1.0 for weight in weights):
                raise RowProblemError("marks", f"the template marks {len(marks)} parts of {len(answers)} answers")
            weights = [1.0] * len(marks)
        spans, stops, unstopped = [], [], 0
        for (begin, end), weight in zip(marks, weights, strict=True):
            if not weight or begin == end:
                continue
            spans.append(Span(begin, end, weight))
            last = [found for found in self.control.written(text, begin) if found[1] <= end]
            if last and not text[last[-1][1] : end].strip():
                stops.append(last[-1][2])
            else:
                unstopped += 1
        if not spans:
            raise RowProblemError("unanswered", "the template marks nothing of it as the assistant's")
        return Rendered(text, tuple(spans), tuple(stops), unstopped=unstopped)

    def _shape(self, conversation: Conversation) -> tuple[object, ...] | None:
        """What conversations that are written alike have in common; None where that is not known beforehand."""
        if conversation.tools:
            return None
        drop = self.settings.reasoning == "drop"
        shape = []
        for message in conversation.messages:
            if message.tool_calls or message.name is not None or message.tool_call_id is not None:
                return None
            if (message.reasoning.strip() and not drop) or not message.content or message.content.isspace():
                return None
            shape.append((message.role, message.train, message.weight))
        return tuple(shape)

    def _quick(self, shape: tuple[object, ...], conversation: Conversation) -> Rendered | None:
        """By what was found of another conversation of the same shape, if the template writes this one alike."""
        if shape not in self._seen:
            # What occurs once need not be understood.
            self._seen.add(shape)
            return None
        if shape not in self._skeletons:
            if len(self._skeletons) >= _MOST_SHAPES:
                self._skeletons.clear()
                self._seen.clear()
            self._skeletons[shape] = skeleton_of(conversation, self._items)
        skeleton = self._skeletons[shape]
        if skeleton is None:
            return None
        try:
            text = self.template.render(self._dicts(conversation))
        except RefusedByTemplateError:
            return None
        return skeleton.filled([message.content for message in conversation.messages], text)

    def _check_same(self, conversation: Conversation, found: Rendered) -> None:
        """That the template wrote the text as it would have without marks."""
        messages = conversation.messages
        for upto in (messages, *(messages[:count] for count in range(len(messages) - 1, 0, -1) if found.rewritten)):
            try:
                text = self.template.render(self._dicts(replace(conversation, messages=upto)), _tools(conversation))
            except RefusedByTemplateError:
                continue
            if found.text[: len(found.text) - found.appended] == text:
                return
        raise RowProblemError("typed", "the template acts on a control token that somebody typed")

    def _dicts(self, conversation: Conversation) -> list[dict[str, Any]]:
        reasoning = self.settings.reasoning != "drop"
        return [as_dict(message, reasoning=reasoning) for message in conversation.messages]


def plain_frame(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """What surrounds a plain text: the token that the tokenizer puts before texts, and the one that ends them."""
    ids = tokenizer("a")["input_ids"]
    begins = bool(ids) and tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id
    return (tokenizer.bos_token if begins else ""), tokenizer.eos_token or ""


def _check_written(conversation: Conversation, text: str) -> None:
    """That functions and what the system says are not left out in silence."""
    for tool in conversation.tools:
        function = tool.get("function", tool)
        name = function.get("name") if isinstance(function, Mapping) else None
        if isinstance(name, str) and name not in text:
            raise RowProblemError("tools", f"the template does not write the function {name!r} that may be called")
    for message in conversation.messages:
        if message.role == "system" and message.content.strip() not in text:
            raise RowProblemError("system", "the template does not write what the system says")


def learned_messages(messages: Sequence[Message], learn: Learn) -> dict[int, float]:
    """Message → how much its tokens count, of those that are learned; of all messages, with 0, where all text is."""
    if learn == "all":
        return {index: 0.0 if each.train is False else each.weight for index, each in enumerate(messages)}
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    usual = set(answers[-1:] if learn == "last" else answers)
    return {
        index: each.weight
        for index, each in enumerate(messages)
        if each.weight and (index in usual if each.train is None else each.train)
    }


def _everything(spans: Sequence[Span], length: int) -> list[Span]:
    """The whole text, in which some parts count differently."""
    found, reached = [], 0
    for span in sorted(spans, key=lambda each: each.begin):
        if span.weight == 1.0:
            continue
        if span.begin > reached:
            found.append(Span(reached, span.begin, 1.0))
        if span.weight:
            found.append(span)
        reached = span.end
    return [*found, Span(reached, length, 1.0)] if reached < length else found


def _without_marks(item: Rendered) -> Rendered:
    found = unmarked(item.text)
    spans = tuple(Span(found.place(span.begin), found.place(span.end), span.weight) for span in item.spans)
    return replace(item, text=found.text, spans=spans, typed=found.typed)


def _tools(conversation: Conversation) -> list[Any]:
    return [plain(tool) for tool in conversation.tools]
