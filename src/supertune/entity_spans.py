"""Entities in a text: how people write them down, and which characters they really are.

A text has its entities beside it as spans (objects or lists of a first character, the one behind the last, and a
label, as doccano, spaCy, Label Studio, Prodigy and CLUENER write them) or as a tag for every token of it. Tokens are
joined to a text first, so that everything after is characters. A text without any entity has an empty list; one
that nobody has looked at has nothing. Characters are Unicode code points, as Python counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from supertune.contracts import Columns, Label, Rows
from supertune.entity_cells import Said, said_in, tags_in
from supertune.entity_tags import entities_of
from supertune.errors import UserError
from supertune.language import is_missing, join_fields, join_tokens, shorten

How = Literal[
    "last-included", "from-one", "utf-16", "bytes", "elsewhere", "first", "lost", "blank-edge", "overlap", "twice"
]
"""What is not as it should be: its end is its last character, characters are counted from 1, in halves of UTF-16 or
in bytes; it stands elsewhere in the text, or nobody says in which of several places; it is nowhere in it; white space
is around it; another entity has some of its characters, or it is written down twice."""


@dataclass(frozen=True, order=True)
class Entity:
    """Characters ``start`` to ``end`` (exclusive) of a text, without white space around them, and what they are."""

    start: int
    end: int
    label: Label


@dataclass(frozen=True)
class Fault:
    """An entity that is not as it was written down.

    Attributes:
        how: What is wrong with it.
        said: As it was written down.
        entity: What it was taken for; None where it is left out.
    """

    how: How
    said: Said
    entity: Entity | None = None


@dataclass(frozen=True)
class Tagged:
    """A text and its entities.

    Attributes:
        text: The text; tokens joined.
        entities: In order, none of them overlapping; None where nobody has looked.
        faults: What was not as it should be.
        tags: The tags, where the entities were written as such.
        tokens: First character of each token and behind its last, where the text was given in tokens.
    """

    text: str
    entities: tuple[Entity, ...] | None
    faults: tuple[Fault, ...] = ()
    tags: tuple[str, ...] | None = None
    tokens: tuple[tuple[int, int], ...] | None = None


def tagged_of(rows: Rows, columns: Columns) -> Iterator[Tagged]:
    """The texts in order; without entities where the label column is missing.

    Raises:
        UserError: A cell holds no entities, or such as cannot be in the text.
    """
    name = columns.text[0]
    label = next((one for one in columns.labels if one in rows.column_names), None)
    row = 0
    for batch in rows.batches(columns=(name, *([label] if label else []))):
        for given in zip(*(batch[one] for one in (name, *([label] if label else []))), strict=True):
            try:
                yield tagged(given[0], given[1] if label else None, columns.tag_names)
            except ValueError as error:
                raise UserError(
                    f"row {rows.row_ids[row]} {error.args[0]}",
                    where=f"column {label!r}",
                    fix=error.args[1] if len(error.args) > 1 else _FORMS,
                ) from error
            row += 1


_FORMS = (
    'write entities as [{"start": 0, "end": 5, "label": "PER"}], or a tag for every token; [] for a text without any'
)


def tagged(text: object, value: object, names: Sequence[str] = ()) -> Tagged:
    """A text and what stands in the column of its entities.

    Args:
        text: The text, or its tokens.
        value: Spans, tags, or nothing.
        names: What tags that are numbers are called.

    Raises:
        ValueError: It holds something else, or what cannot be in the text; says what, to stand behind the row's number,
            and perhaps what to do.
    """
    tokens = None
    if isinstance(text, list):
        whole, placed = join_tokens(text)
        tokens = tuple(placed)
    whole = join_fields([text])
    if is_missing(value):
        return Tagged(whole, None, tokens=tokens)
    tags = tags_in(value, names)
    if tags:
        places = _places(whole, tokens, len(tags))
        found = [
            Entity(*edges, label)
            for first, behind, label in entities_of(tags)
            if (edges := _trimmed(whole, places[first][0], places[behind - 1][1]))
        ]
        return Tagged(whole, tuple(found), (), tuple(tags), tuple(places))
    said = said_in(value)
    if tokens is not None:
        said = [_counted_in_characters(one, tokens) for one in said]
    return Tagged(whole, *_settled(whole, said), tokens=tokens)


def _places(text: str, tokens: Sequence[tuple[int, int]] | None, tags: int) -> Sequence[tuple[int, int]]:
    """Where the tokens stand that the tags are of: those given, or the words of the text, or its characters."""
    if tokens is not None:
        if len(tokens) != tags:
            raise ValueError(f"has {tags:,} tags for {len(tokens):,} tokens", "give every token one tag")
        return tokens
    for pieces in (text.split(), text, "".join(text.split())):
        if len(pieces) == tags:
            return list(_found_in_turn(text, pieces))
    raise ValueError(
        f"has {tags:,} tags for a text of {len(text.split()):,} words and {len(text):,} characters",
        "give every word one tag, or every character, or the tokens as a list",
    )


def _found_in_turn(text: str, pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    place = 0
    for piece in pieces:
        place = text.index(piece, place)
        yield place, place + len(piece)
        place += len(piece)


def _counted_in_characters(said: Said, tokens: Sequence[tuple[int, int]]) -> Said:
    """Beside tokens, spans count tokens."""
    if said.start is None or said.end is None:
        return said
    if not 0 <= said.start < said.end <= len(tokens):
        raise ValueError(
            f"has an entity of the tokens {said.start:,} to {said.end:,}, of which there are {len(tokens):,}",
            "count tokens from 0, and let the end be the token behind the last; beside a text, characters are counted",
        )
    return Said(tokens[said.start][0], tokens[said.end - 1][1], said.label, said.text)


def _settled(text: str, said: Sequence[Said]) -> tuple[tuple[Entity, ...], tuple[Fault, ...]]:
    """The entities where they really are, the longer of two that overlap, and what was wrong."""
    faults: list[Fault] = []
    placed: list[tuple[Entity, Said]] = []
    for one in said:
        place, how = _place(text, one)
        if place is None:
            faults.append(Fault("lost", one))
            continue
        edges = _trimmed(text, *place)
        if edges is None:
            raise ValueError(f"has an entity of nothing but white space ({_shown(one)})", "remove it")
        entity = Entity(*edges, one.label)
        if how is None and edges != place and one.text is None:
            how = "blank-edge"
        if how is not None:
            faults.append(Fault(how, one, entity))
        placed.append((entity, one))
    kept: list[Entity] = []
    # The longest first; of equally long ones the first said.
    for entity, one in sorted(placed, key=lambda pair: pair[0].start - pair[0].end):
        if entity in kept:
            faults.append(Fault("twice", one))
        elif any(entity.start < other.end and other.start < entity.end for other in kept):
            faults.append(Fault("overlap", one))
        else:
            kept.append(entity)
    return tuple(sorted(kept, key=lambda entity: entity.start)), tuple(faults)


def _place(text: str, said: Said) -> tuple[tuple[int, int] | None, How | None]:
    """Where an entity is, and what is wrong with where it is said to be; None for nowhere.

    Without the words of the entity nothing tells a wrong place from a right one, but for a place beyond the text.
    """
    start, end = said.start, said.end
    if said.text is None:
        if start is None or end is None:
            raise ValueError(f"has an entity without its place ({_shown(said)})")
        if not 0 <= start < end <= len(text):
            raise ValueError(
                _beyond(text, said), "count characters from 0, as Python does; the end is behind the last one"
            )
        return (start, end), None
    if start is not None and end is not None:
        for how, place in _readings(text, start, end):
            if _says(text, place, said.text):
                return place, how
    words = said.text.strip()
    found = [place for place in range(len(text)) if words and text.startswith(words, place)]
    if not found:
        return None, "lost"
    if start is None:
        return (found[0], found[0] + len(words)), "first" if len(found) > 1 else None
    nearest = min(found, key=lambda place: abs(place - start))
    return (nearest, nearest + len(words)), "elsewhere"


def _readings(text: str, start: int, end: int) -> Iterator[tuple[How | None, tuple[int, int]]]:
    """What a first and a last number may mean, the usual first."""
    yield None, (start, end)
    yield "last-included", (start, end + 1)
    units: tuple[tuple[How, str, int], ...] = (("utf-16", "utf-16-le", 2), ("bytes", "utf-8", 1))
    for how, encoding, width in units:
        content = b"" if text.isascii() else text.encode(encoding, "surrogatepass")
        if 0 <= start < end <= len(content) // width:
            before, behind = (len(content[: place * width].decode(encoding, "ignore")) for place in (start, end))
            yield how, (before, behind)
    yield "from-one", (start - 1, end)
    yield "from-one", (start - 1, end - 1)


def _says(text: str, place: tuple[int, int], words: str) -> bool:
    start, end = place
    return 0 <= start < end <= len(text) and (
        text[start:end] == words or text[start:end].strip() == words.strip() != ""
    )


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The same without white space around it; None where nothing is left."""
    words = text[start:end]
    left, right = len(words) - len(words.lstrip()), len(words.rstrip())
    return (start + left, start + right) if right else None


def _beyond(text: str, said: Said) -> str:
    where = f"at the characters {said.start} to {said.end}"
    if said.start is not None and said.end is not None and said.end <= said.start:
        return f"has an entity {where}, which ends where it has not begun"
    return f"has an entity {where}, and its text has {len(text):,}"


def _shown(said: Said) -> str:
    return shorten(repr(said.text or said.label), 40)
