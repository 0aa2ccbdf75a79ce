"""Placeholders in the place of items, and what an item looks like without being told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from supertune.data.pii.registry import KINDS
from supertune.data.pii.spans import PiiSpan

_SHOWN = 24


def mask(text: str, spans: Sequence[PiiSpan]) -> str:
    """The text with the placeholder of its kind for each item, all else as it is.

    Raises:
        ValueError: The spans do not ascend, overlap, or are not of this text.
    """
    return replaced(text, spans, lambda span: KINDS[span.kind].placeholder)


def replaced(text: str, spans: Sequence[PiiSpan], by: Callable[[PiiSpan], str]) -> str:
    """The text with something else for each item, all else as it is.

    Raises:
        ValueError: The spans do not ascend, overlap, or are not of this text.
    """
    pieces: list[str] = []
    end = 0
    for span in spans:
        if not end <= span.start < span.end <= len(text):
            raise ValueError(f"{span} is not behind the one before it and inside a text of {len(text)} characters")
        pieces += (text[end : span.start], by(span))
        end = span.end
    return "".join((*pieces, text[end:]))


def shape(item: str) -> str:
    """What an item looks like and no more: 0 for digits, x and X for letters, signs as they are; long ones are cut."""
    signs = (_sign(character) for character in item[:_SHOWN])
    return "".join(signs) + ("…" if len(item) > _SHOWN else "")


def _sign(character: str) -> str:
    if character.isdigit():
        return "0"
    if character.isupper():
        return "X"
    return "x" if character.isalpha() else character if character.isprintable() else " "
