"""Where a text ends, and what it says up to there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from supertune.generate.settings import Ending

Decode = Callable[[Sequence[int]], str]
"""From tokens to their text; what the caller's tokenizer does, special tokens shown or not as the caller wants."""

_MARGIN = 8
"""Tokens beyond those that a stop string can take: some say nothing, and the first may be half a character."""
_HALF = "\N{REPLACEMENT CHARACTER}"
_BYTES = 4
"""Most bytes of a character, and so most tokens that it can be cut into."""


@dataclass(frozen=True)
class Stops:
    """What ends a text.

    Attributes:
        ids: Tokens that do.
        strings: Strings that do.
        decode: From tokens to text.
    """

    ids: frozenset[int]
    strings: tuple[str, ...]
    decode: Decode

    def said(self, written: Sequence[int]) -> bool:
        """Whether the last tokens complete a stop string; they are looked at as text, so its cut does not matter."""
        if not self.strings:
            return False
        text = self.decode(written[-self.reach :])
        return any(string in text for string in self.strings)

    @property
    def reach(self) -> int:
        """How many tokens at the end may hold a stop string; 0 without any."""
        # No token of a text is shorter than a byte, but for those that say nothing.
        return max((len(string.encode()) + _MARGIN for string in self.strings), default=0)

    def end(self, written: Sequence[int], start: int = 0) -> tuple[int, Ending] | None:
        """After how many tokens the text ends, and by what; None where it goes on.

        Args:
            written: The tokens so far, maybe with others behind the end.
            start: Tokens at the beginning that are known not to end it.
        """
        for place in range(start, len(written)):
            if written[place] in self.ids:
                return place + 1, "stop"
            if self.said(written[: place + 1]):
                return place + 1, "string"
        return None

    def text(self, written: Sequence[int], ended: Ending) -> str:
        """What the tokens say, up to what stopped them."""
        if ended == "string" and (text := self.decode(written)) != (before := self.before(text)):
            # Looked for first: its last token may hold half a character behind it.
            return before
        return self.before(whole_characters(written[:-1] if ended == "stop" else written, self.decode))

    def before(self, text: str) -> str:
        """What stands before the first stop string."""
        return text[: min((place for string in self.strings if (place := text.find(string)) >= 0), default=len(text))]

    def may_go_on(self, text: str) -> int:
        """How many characters at the end of a text may be the beginning of a stop string."""
        return max(
            (size for string in self.strings for size in range(1, len(string)) if text.endswith(string[:size])),
            default=0,
        )


def whole_characters(written: Sequence[int], decode: Decode) -> str:
    """The text of some tokens without half a character at its end.

    Some tokenizers tell a run of bytes that is no text yet as that many replacement characters, whole characters among
    them: then what fewer tokens say is longer. Replacement characters that the model itself wrote last go as well.
    """
    text = decode(written)
    if not text.endswith(_HALF):
        return text
    fewer = range(1, min(_BYTES, len(written) + 1))
    shorter = (decode(written[: len(written) - count]) for count in fewer)
    return max((one.rstrip(_HALF) for one in (text, *shorter)), key=len)


class Speech:
    """Text of tokens as they come, a piece at a time, never half a character.

    A few tokens before the new ones are decoded with them: what a token says may depend on whether it is the first.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._start = self._whole = self._said = 0

    def add(self, token: int) -> str:
        """What can be said after one more token; nothing while a character is not whole."""
        self._ids.append(token)
        now = self._decode(self._ids[self._start :])
        piece = self._new(now.rstrip(_HALF))
        if now and not now.endswith(_HALF):
            self._start, self._whole = self._whole, len(self._ids)
            self._said = len(self._decode(self._ids[self._start :]))
        return piece

    def rest(self) -> str:
        """What is still unsaid at the end of the text, but for half a character."""
        return self._new(whole_characters(self._ids[self._start :], self._decode))

    def _new(self, text: str) -> str:
        piece, self._said = text[self._said :], max(self._said, len(text))
        return piece
