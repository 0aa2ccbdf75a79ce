"""JSON read strictly: what is not JSON, or says two things at once, is refused and not guessed at."""

from __future__ import annotations

import json
from typing import Any


class StrictDecoder:
    """Decodes JSON and says what is wrong with it: NaN, Infinity, and keys that stand twice in one object.

    One decoder is used for a whole file; `decode` is not for several threads.
    """

    def __init__(self) -> None:
        self._problem: str | None = None
        self._nested = False
        self._fast = json.JSONDecoder(parse_constant=self._constant)
        self._thorough = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant)

    def decode(self, text: str) -> Any:
        """The value that the whole text is.

        Raises:
            ValueError: With the reason, in words for the user.
        """
        stripped = text.strip(" \t\r\n")
        value, end = self.decode_at(stripped, 0)
        if end < len(stripped):
            raise ValueError(f"has {_short(stripped[end:].lstrip())} after the end of the JSON value")
        return value

    def decode_at(self, text: str, start: int) -> tuple[Any, int]:
        """The value that begins at ``start``, and where it ends.

        Raises:
            NotJSONError: The text from there on is no JSON value, or not a whole one.
            ValueError: It is one, but says two things at once; ``args[1]`` is where it ends.
        """
        self._problem = None
        try:
            value, end = (self._thorough if self._nested else self._fast).raw_decode(text, start)
            # Every pair has a colon: with no more colons than keys, no key can stand twice.
            nested = text.count(":", start, end) > (len(value) if isinstance(value, dict) else 0)
            if nested and not self._nested:
                value, end = self._thorough.raw_decode(text, start)
            # The next one is probably like it.
            self._nested = nested
        except json.JSONDecodeError as error:
            at = f" at {_short(text[error.pos :])}" if text[error.pos :].strip() else " where it ends"
            raise NotJSONError(f"is not valid JSON: {error.msg.lower()}{at}", error.pos) from error
        except RecursionError as error:
            raise NotJSONError("is nested too deeply", start) from error
        except ValueError as error:
            raise NotJSONError("holds an integer of thousands of digits", start) from error
        if self._problem:
            raise ValueError(self._problem, end)
        return value, end

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs) and self._problem is None:
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            self._problem = f"has the key {twice!r} twice"
        return value

    def _constant(self, name: str) -> None:
        self._problem = self._problem or f"holds {name}, which is not JSON: write null for a missing number"


class NotJSONError(ValueError):
    """The text is not a JSON value; ``args[1]`` is the position of the fault."""


def _short(text: str) -> str:
    return repr(text if len(text) <= 20 else text[:20] + "…")
