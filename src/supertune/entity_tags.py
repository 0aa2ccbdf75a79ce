"""Tags of tokens, as IOB1, IOB2, BIOES, BILOU, BMES and plain IO write them, and the entities that they stand for.

All of them are read by one rule, that of the evaluation script of CoNLL-2000 (Tjong Kim Sang and Buchholz 2000): an
entity begins where a tag says so, and where a tag goes on with something that is not there. What is a slip in one
scheme is the way to write it in another, so which scheme it is matters for telling slips alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

NO_ENTITY = "O"
UNNAMED = "entity"
"""What entities are called whose tags are single letters, as where there is only one kind of them."""
_PREFIXED = re.compile(r"([BIESLUM])(?:[-_](.+))?", re.DOTALL)
_BEGINS, _ENDS, _SINGLE = frozenset("BSU"), frozenset("ESLU"), frozenset("SU")


def parts_of(tag: str) -> tuple[str, str]:
    """Prefix and label of a tag: ``B`` and ``PER`` of B-PER, ``O`` and nothing of O; of plain PER no prefix."""
    tag = tag.strip()
    if tag in ("O", "o"):
        return NO_ENTITY, ""
    found = _PREFIXED.fullmatch(tag)
    return (found[1], found[2] or UNNAMED) if found else ("", tag)


def looks_like_tag(text: str) -> bool:
    """Whether a word is O, or a letter of a scheme with a label behind it."""
    return parts_of(text)[0] != "" and (text in ("O", "o") or len(text) > 2)


def entities_of(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """(first token, behind the last, label) of each entity, in order."""
    found: list[tuple[int, int, str]] = []
    open_label = None
    for place, (prefix, label) in enumerate(map(parts_of, tags)):
        if prefix == NO_ENTITY:
            open_label = None
            continue
        if open_label == label and prefix not in _BEGINS:
            found[-1] = (found[-1][0], place + 1, label)
        else:
            found.append((place, place + 1, label))
        open_label = None if prefix in _ENDS else label
    return found


def scheme_of(rows: Iterable[Sequence[str]]) -> str:
    """The scheme that all these tags are written in: IO, IOB1, IOB2, BIOES, BILOU or BMES."""
    prefixes: set[str] = set()
    fresh = loose = False
    for tags in rows:
        for before, (prefix, label) in _after_what(tags):
            prefixes.add(prefix)
            fresh = fresh or (prefix == "B" and before != label)
            loose = loose or (prefix == "I" and before != label)
    prefixes.discard(NO_ENTITY)
    if prefixes & {"L", "U"}:
        return "BILOU"
    if prefixes & {"E", "S", "M"}:
        return "BMES" if "M" in prefixes and "I" not in prefixes else "BIOES"
    if not prefixes & {"B", "I"}:
        return "IO"
    return "IOB1" if loose and not fresh else "IOB2"


def slips(tags: Sequence[str], scheme: str) -> list[tuple[int, str]]:
    """Where tags break the rules of their scheme: (token, what is wrong, to stand behind the tag)."""
    if scheme in ("IO", "IOB1"):
        return []
    found = []
    closing = scheme in ("BIOES", "BILOU", "BMES")
    pairs = [parts_of(tag) for tag in tags]
    for place, (before, (prefix, label)) in enumerate(_after_what(tags)):
        if prefix in ("I", "M", "E", "L") and before != label:
            found.append((place, "goes on with an entity that has not begun"))
        following = pairs[place + 1] if place + 1 < len(pairs) else (NO_ENTITY, "")
        goes_on = following[1] == label and following[0] in ("I", "M", "E", "L")
        if closing and prefix in ("B", "I", "M") and not goes_on:
            found.append((place, "is of an entity that does not end"))
    return found


def _after_what(tags: Sequence[str]) -> Iterator[tuple[str | None, tuple[str, str]]]:
    """For each tag the label of the entity that is open before it, None for none, and its parts."""
    open_label: str | None = None
    for prefix, label in map(parts_of, tags):
        yield open_label, (prefix, label)
        open_label = None if prefix == NO_ENTITY or prefix in _ENDS else label
