"""Where in a rendered conversation each message stands, and so which characters carry loss.

Nothing is found by looking for markers. What stands before an answer is what the template writes when the model is to
answer (``add_generation_prompt``) after the messages before it; that this is how the whole conversation begins, is
checked (the prefix property). A message's own text begins and ends where the rendering differs from that of the same
conversation with another text in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from supertune.tasks.chat_template import ChatTemplate, RefusedByTemplateError
from supertune.tasks.control_tokens import ControlTokens

Kind = Literal["refused", "history", "prompt", "reasoning", "tools", "system", "typed", "unanswered", "marks", "asked"]
"""Why a row cannot be learned: the template refuses it, writes earlier turns anew, asks for an answer otherwise than it
writes one, leaves reasoning, calls or the system's message out, or acts on a control token that somebody typed; no
message is an answer; the template's own marks do not say which message they are of; or a message is to be learned that
an encoder only reads."""

Reasoning = Literal["keep", "mask", "drop"]

_THOUGHT = "</think>"
"""By which reasoning ends that stands in an answer's own text, in the models that think."""
_SUBSTITUTES = "†‡¶§¤"


class RowProblemError(Exception):
    """A conversation cannot be learned as it is: which kind of problem, and what exactly."""

    def __init__(self, kind: Kind, what: str) -> None:
        self.kind: Kind = kind
        super().__init__(what)


@dataclass(frozen=True)
class Span:
    """Characters that carry loss: the first, behind the last, and how much each of their tokens counts."""

    begin: int
    end: int
    weight: float


@dataclass(frozen=True)
class Turn:
    """Where a message stands in its conversation's text.

    Attributes:
        begin: The first character that its speaker has to say.
        end: Behind the token that ends it, or behind its text where none does.
        stop: The token that ends it; None where none does.
        text: The conversation, with that token behind it where the template writes it before the next turn only.
    """

    begin: int
    end: int
    stop: str | None
    text: str


class Spelling:
    """One conversation as a template writes it.

    Args:
        template: How it is written.
        control: The tokenizer's control tokens.
        messages: As `supertune.tasks.chat_template.as_dict` gives them.
        tools: JSON schemas.

    Raises:
        RowProblemError: The template refuses it.
    """

    def __init__(
        self,
        template: ChatTemplate,
        control: ControlTokens,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
    ) -> None:
        self._template, self._control, self._tools = template, control, tools
        self._messages = list(messages)
        try:
            self.text = template.render(messages, tools)
        except RefusedByTemplateError as error:
            raise RowProblemError("refused", f"the chat template refuses it: {error}") from error

    def prompt(self, index: int) -> str | None:
        """What the model is given to answer with the message of this number; None where the template refuses that."""
        try:
            return self._template.render(self._messages[:index], self._tools, prompt=True)
        except RefusedByTemplateError:
            return None

    def turn(self, index: int, reasoning: Reasoning = "keep") -> Turn:
        """Where the message of this number stands.

        Args:
            index: Which message.
            reasoning: With ``mask`` an answer begins behind it; with ``drop`` the template may leave out what the
                answer itself holds of it.

        Raises:
            RowProblemError: The prefix property does not hold for it, or the template leaves something out.
        """
        message = self._messages[index]
        prompt = self.prompt(index) if message["role"] == "assistant" else None
        said = message["content"].strip()
        if prompt is not None and said and not message.get("reasoning_content") and not message.get("tool_calls"):
            begin = len(prompt)
            at = begin + _blank(self.text, begin)
            if self.text.startswith(prompt) and self.text.startswith(said, at):
                turn = self._ended(begin, at + len(said), last=index == len(self._messages) - 1)
                if turn is not None:
                    return turn
        return self._framed(index, prompt, reasoning)

    def _framed(self, index: int, prompt: str | None, reasoning: Reasoning) -> Turn:
        """By rendering the conversation up to this message with other texts in its place."""
        message, last = self._messages[index], index == len(self._messages) - 1
        upto = self._messages[:index]
        done = self.text if last else self._other([*upto, message])
        if prompt is not None:
            self._check_prompt(index, prompt, done)
        substitute = _substitute(message)
        bare = self._other([*upto, _saying(message, substitute)])
        head, behind = self._frame(done, bare)
        if message["role"] == "assistant":
            self._check_complete(index, done, head if prompt is None else len(prompt), reasoning)
        begin = head
        if prompt is not None and (message.get("reasoning_content") or not done[len(prompt) : head].strip()):
            begin = len(prompt)
        if not self.text.startswith(done[:behind]):
            return self._alike(index, prompt, substitute, done[:behind], begin)
        if reasoning == "mask" and message.get("reasoning_content"):
            begin, _ = self._frame(done, self._other([*upto, _saying(message, substitute, reasoning=True)]))
        stop = next(self._control.written(done, behind), None)
        if stop is not None and self.text.startswith(done[: stop[1]]):
            return Turn(begin, stop[1], stop[2], self.text)
        return self._ended(begin, behind, last=last) or Turn(begin, behind, None, self.text)

    def _alike(self, index: int, prompt: str | None, substitute: str, done: str, begin: int) -> Turn:
        """Where an answer stands that is written otherwise while it is the last, if what is learned of it is the same.

        An empty think block that only the last answer gets is not learned and makes no difference.
        """
        messages = list(self._messages)
        messages[index] = _saying(messages[index], substitute)
        try:
            head, behind = self._frame(self.text, self._template.render(messages, self._tools))
        except RefusedByTemplateError:
            head, behind = 0, 0
        found = head if prompt is None or self.text[len(prompt) : head].strip() else len(prompt)
        if behind <= found or self.text[found:behind] != done[begin:]:
            raise RowProblemError("history", _rewritten(index, done, self.text))
        return self._ended(found, behind, last=False) or Turn(found, behind, None, self.text)

    def _ended(self, begin: int, said: int, *, last: bool) -> Turn | None:
        """With the token that follows what was said up to character ``said``; None where other words do.

        Args:
            begin: The first character of what was said.
            said: Behind its last.
            last: Whether no message follows.
        """
        stop = next(self._control.written(self.text, said), None)
        if stop is not None and not self.text[said : stop[0]].strip():
            return Turn(begin, stop[1], stop[2], self.text)
        if not last or self.text[said:].strip():
            return None
        # Some templates end a turn by the token that begins the next one.
        following = self._next_turn()
        if following is not None and following.startswith(self.text):
            stop = next(self._control.written(following, said), None)
            if stop is not None and not following[said : stop[0]].strip():
                return Turn(begin, stop[1], stop[2], following[: stop[1]])
        return Turn(begin, said, None, self.text)

    def _next_turn(self) -> str | None:
        try:
            return self._template.render([*self._messages, {"role": "user", "content": _SUBSTITUTES}], self._tools)
        except RefusedByTemplateError:
            return None

    def _check_prompt(self, index: int, prompt: str, done: str) -> None:
        if done.startswith(prompt):
            if not self.text.startswith(prompt):
                raise RowProblemError("history", _rewritten(index, prompt, self.text))
            return
        before = self._other(self._messages[:index])
        if done.startswith(before):
            asked, written = prompt[len(before) :], done[len(before) : len(before) + len(prompt) - len(before)]
            raise RowProblemError(
                "prompt", f"the template asks for an answer with {asked!r}, but writes {written!r} before one"
            )
        raise RowProblemError("history", _rewritten(index, prompt, done))

    def _check_complete(self, index: int, done: str, begin: int, reasoning: Reasoning) -> None:
        message, written = self._messages[index], done[begin:]
        thought, _, said = message["content"].rpartition(_THOUGHT)
        if reasoning == "drop":
            thought = ""
        thoughts = (message.get("reasoning_content") or "", thought.rpartition("<think>")[2])
        if any(each.strip() not in written for each in thoughts):
            raise RowProblemError("reasoning", "the template does not write the reasoning of an answer")
        names = [call["function"]["name"] for call in message.get("tool_calls", ())]
        left_out = [name for name in names if name not in written]
        silent = {key: value for key, value in message.items() if key != "tool_calls"}
        if left_out or (names and self._other([*self._messages[:index], silent]) == done):
            raise RowProblemError("tools", f"the template does not write the call of {(left_out or names)[0]!r}")
        if names and said.strip() not in written:
            raise RowProblemError("tools", "the template does not write what an answer says beside its calls")

    def _frame(self, text: str, other: str) -> tuple[int, int]:
        """Where two renderings begin and cease to differ, as characters of the first; not within a token."""
        head = _common(text, other)
        tail = _common(text[head:][::-1], other[head:][::-1])
        begin, end = head, len(text) - tail
        for first, behind, _ in self._control.written(text):
            if first < begin < behind:
                begin = first
            if first < end < behind:
                end = first
        return begin, max(begin, end)

    def _other(self, messages: Sequence[Mapping[str, Any]]) -> str:
        try:
            return self._template.render(messages, self._tools)
        except RefusedByTemplateError as error:
            raise RowProblemError(
                "refused", f"the chat template refuses its first {len(messages)} messages: {error}"
            ) from error


def _saying(message: Mapping[str, Any], content: str, *, reasoning: bool = False) -> dict[str, Any]:
    """The message with nothing but this text in it, and its reasoning if that is to stay."""
    left_out = ("tool_calls",) if reasoning else ("tool_calls", "reasoning_content", "thinking")
    return {**{key: value for key, value in message.items() if key not in left_out}, "content": content}


def _substitute(message: Mapping[str, Any]) -> str:
    """A text that neither begins nor ends as anything in the message does."""
    everything = str(message)
    return next((sign for sign in _SUBSTITUTES if sign not in everything), _SUBSTITUTES[0])


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _blank(text: str, begin: int) -> int:
    """How many characters of white space stand from a place on."""
    place = begin
    while place < len(text) and text[place].isspace():
        place += 1
    return place - begin


def _rewritten(index: int, expected: str, found: str) -> str:
    at = _common(expected, found)
    begin = max(0, at - 20)
    return (
        f"the template writes what comes before or in the answer (message {index + 1}) anew once more messages follow: "
        f"first {expected[begin : at + 30]!r}, then {found[begin : at + 30]!r}"
    )
