"""A model on this machine that is asked for texts: one that follows instructions, or one that translates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from supertune.contracts import Answered, TextPrompt, WrittenText
from supertune.conversations import Conversation, Message
from supertune.data import conversations_in
from supertune.errors import UserError
from supertune.files import sha256_bytes
from supertune.generate import Generated, generate, prompt_room
from supertune.message_lists import answer_of
from supertune.recipes.predict_written import author_of, prompts_of
from supertune.recipes.saved import model_of_run, saved_digest
from supertune.recipes.talk import Talk, open_writer
from supertune.recipes.typed import typed_table
from supertune.recipes.writing_choices import WritingChoices
from supertune.tasks import RowProblemError

_PIECE = 64
"""Texts after which what was written is told, and kept."""
_CUT = "cut off by its length"
_TOO_LONG = "longer than the model reads"


class LocalWriter:
    """Asks a run of chat or translation, a folder, a registered model or a GGUF file.

    Where tokens are drawn, texts are written one by one, so that each depends on its own question and seed and on
    nothing that is asked beside it; at temperature 0 they are written side by side.

    Args:
        name: A run, folder, name or hub id.
        temperature: 0 for the likeliest token at every step.
        max_new_tokens: Most tokens of an answer.

    Raises:
        UserError: There is no such model, or it neither follows instructions nor translates.
    """

    local = True

    def __init__(self, name: str, *, temperature: float, max_new_tokens: int) -> None:
        opened = open_writer(name)
        self._saved, self._stops = opened.saved, opened.stop_strings
        choices = WritingChoices(max_new_tokens=max_new_tokens, temperature=temperature)
        talk = Talk(opened.saved, choices, lambda _: None)
        self.instructed = talk.together
        if not self.instructed and (opened.saved.task.name != "translation" or len(talk.fields) != 1):
            raise UserError(
                f"was trained for {opened.saved.task.name}, and does nothing else that it is told",
                where=name,
                fix="name a model that was trained for chat, or for translation to translate there and back",
            )
        self._author, self._settings = author_of(opened.saved, choices)
        self._settings = replace(self._settings, stop_strings=opened.stop_strings)
        self._system = talk.system
        folder = model_of_run(name)
        self._digest = opened.saved.base["sha256"] if folder is None else saved_digest(folder, opened.saved)

    @property
    def identity(self) -> Mapping[str, object]:
        """See `TextWriter`."""
        template = sha256_bytes(repr(self._saved.tokenizer.chat_template).encode())
        settings = self._settings
        return {
            "weights": self._digest,
            "template": template,
            "system": self._system,
            "temperature": settings.temperature,
            "max_new_tokens": settings.max_new_tokens,
        }

    def write(self, prompts: Sequence[TextPrompt], answered: Answered | None = None) -> list[WrittenText]:
        """See `TextWriter`."""
        found: dict[int, WrittenText] = {}
        room = prompt_room(self._author.model, self._settings)
        ready: list[tuple[int, Any]] = []
        for number, prompt in enumerate(prompts):
            ids = self._ids(prompt)
            if isinstance(ids, str) or (room is not None and len(ids) > room):
                found[number] = WrittenText(None, ids if isinstance(ids, str) else _TOO_LONG)
                if answered:
                    answered(number, found[number])
            else:
                ready.append((number, ids))
        for piece, seed in self._pieces(ready, prompts):
            settings = replace(self._settings, seed=seed)
            made = generate(self._author.model, [ids for _, ids in piece], settings, decode=self._author.decode)
            for (number, ids), one in zip(piece, made, strict=True):
                found[number] = _written(one, len(ids))
                if answered:
                    answered(number, found[number])
        return [found[number] for number in range(len(prompts))]

    def _pieces(
        self, ready: Sequence[tuple[int, Any]], prompts: Sequence[TextPrompt]
    ) -> Iterator[tuple[Sequence[tuple[int, Any]], int]]:
        if self._settings.temperature:
            yield from (([each], prompts[each[0]].seed) for each in ready)
            return
        # Of like length, so that little is padded.
        ordered = sorted(ready, key=lambda each: len(each[1]))
        yield from ((ordered[start : start + _PIECE], 0) for start in range(0, len(ordered), _PIECE))

    def _ids(self, prompt: TextPrompt) -> Any:
        """The token ids of a question, or why it cannot be asked."""
        try:
            (ids,) = prompts_of(self._author, [self._conversation(prompt)])
        except RowProblemError as problem:
            return f"the model's template refuses it: {problem}"
        return ids

    def _conversation(self, prompt: TextPrompt) -> Conversation:
        if not self.instructed:
            task = self._author.task
            (asked,) = conversations_in(typed_table(task, [prompt.user], "what is translated"), task.columns)
            return replace(asked, messages=tuple(one for one in asked.messages if one.role != "assistant"))
        # Not every template has a place for what the system says; what training said there stays.
        said = f"{prompt.system}\n\n{prompt.user}" if prompt.system else prompt.user
        system = (Message("system", self._system),) if self._system else ()
        return Conversation((*system, Message("user", said)))


class TwoWriters:
    """Two models that translate, one there and one back, or whatever else has two steps.

    Args:
        there: Asked in the first step.
        back: Asked in the second.
    """

    def __init__(self, there: LocalWriter, back: LocalWriter) -> None:
        self._writers = there, back

    @property
    def identity(self) -> Mapping[str, object]:
        """See `TextWriter`."""
        return {"there": dict(self._writers[0].identity), "back": dict(self._writers[1].identity)}

    @property
    def local(self) -> bool:
        """See `TextWriter`."""
        return all(writer.local for writer in self._writers)

    @property
    def instructed(self) -> bool:
        """See `TextWriter`."""
        return all(writer.instructed for writer in self._writers)

    def write(self, prompts: Sequence[TextPrompt], answered: Answered | None = None) -> list[WrittenText]:
        """See `TextWriter`."""
        found: dict[int, WrittenText] = {}
        for step, writer in enumerate(self._writers):
            numbers = [number for number, prompt in enumerate(prompts) if min(prompt.step, 1) == step]

            def told(place: int, written: WrittenText, numbers: Sequence[int] = numbers) -> None:
                if answered:
                    answered(numbers[place], written)

            made = writer.write([prompts[number] for number in numbers], told) if numbers else []
            found |= dict(zip(numbers, made, strict=True))
        return [found[number] for number in range(len(prompts))]


def _written(one: Generated, read: int) -> WrittenText:
    text = answer_of(one.text.strip()).content
    if one.ended == "length":
        return WrittenText(None, _CUT, read, len(one.ids))
    return WrittenText(text, None, read, len(one.ids)) if text else WrittenText(None, "empty answer", read)
