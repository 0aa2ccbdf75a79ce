"""What labels mean, in words: as they are called, or as the user describes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from supertune.errors import UserError

Descriptions = Mapping[str, str | Sequence[str]]
"""Label → what it means, in one text or several."""


def label_texts(labels: Sequence[str], descriptions: Descriptions) -> list[list[str]]:
    """What each label means, in one text or several; nothing for a label that is neither described nor a word.

    ``card_arrival`` and ``cardArrival`` mean card arrival; 0 and 1 mean nothing.

    Raises:
        UserError: A description is of no label.
    """
    unknown = [label for label in descriptions if label not in labels]
    if unknown:
        raise UserError(
            f"{unknown[0]!r} is no label of these rows ({', '.join(map(repr, labels[:20]))})",
            where="strategy.descriptions",
            fix="name the labels as the rows have them, in quotes: YAML takes yes, no, on and off for true and false",
        )
    found = []
    for label in labels:
        told = descriptions.get(label, _as_words(label))
        texts = [told] if isinstance(told, str) else list(told)
        # What is described may be an emoji; what is only called so is a word or says nothing.
        says = str.strip if label in descriptions else _has_letters
        found.append([text for text in texts if says(text)])
    return found


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _as_words(label: str) -> str:
    """A label as people say it."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"[_\-./:]+", " ", label)).strip()
    return spaced if spaced.isupper() else spaced.lower()
