"""Which columns hold texts or their tokens, and which the entities in them: by name, and by what cells look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from supertune.contracts import Columns
from supertune.data import names
from supertune.data.profile import KIND_NAMES, Profile, sample_of
from supertune.data.table import Table
from supertune.entity_cells import shape_of, tags_in
from supertune.entity_spans import Tagged, tagged_of
from supertune.entity_tags import scheme_of
from supertune.errors import UserError

_LOOKED_AT = 500
"""Cells of a column whose shape is looked at."""
_DOCUMENT = "document"
_ENOUGH_DOCUMENTS = 20

FindText = Callable[[Sequence[Profile], str], str]


def span_columns(
    table: Table,
    profiles: Sequence[Profile],
    named: tuple[str, ...],
    asked: tuple[str, ...],
    tag_names: tuple[str, ...],
    find_text: FindText,
    *,
    need_label: bool,
) -> Columns:
    """Find the column of texts or tokens and that of entities, or check the ones that were named.

    Args:
        table: The rows.
        profiles: Its columns.
        named: The column of texts or tokens; empty: by name and shape.
        asked: The column of entities; empty: by name and shape.
        tag_names: What tags that are numbers are called.
        find_text: Finds the column of texts among some, where there are no tokens.
        need_label: Without a column of entities, raise an error; else there is none.

    Raises:
        UserError: A column cannot be found, or holds something else.
    """
    source, by_name = table.source, {profile.name: profile for profile in profiles}
    for given, option in ((named, "--text"), (asked, "--label")):
        if len(given) > 1:
            what = f"{len(given)} columns were named ({', '.join(given)}), and entities stand in one text"
            raise UserError(what, where=f"data.{option[2:]}", fix=f"name one with {option}")
    sample = sample_of(table)
    announcements = []
    shapes = {profile.name: _shape(sample, profile) for profile in profiles if profile.name not in named}
    if not asked:
        asked = _entities_by_name(shapes, source, need_label=need_label)
        announcements += [f"entities: {name!r} (by its name; {_written(sample, name, shapes[name])})" for name in asked]
    elif shapes.get(asked[0]) is None and by_name[asked[0]].filled:
        _refuse(by_name[asked[0]], source)
    tags = bool(asked) and shapes.get(asked[0]) == "tags"
    if not named:
        rest = [profile for profile in profiles if profile.name not in asked]
        tokens = _tokens_by_name(sample, rest)
        # Beside a text, Prodigy and others list its tokens as well.
        lists = tokens is not None and (tags or not any(profile.could_be_text for profile in rest))
        named = (tokens if lists and tokens is not None else find_text(rest, source),)
        announcements.append(f"text: {named[0]!r} ({'tokens, joined to a text' if lists else 'by its name'})")
    _check_text(sample, by_name[named[0]], source)
    document = by_name.get(_DOCUMENT)
    group = _DOCUMENT if document is not None and document.distinct >= _ENOUGH_DOCUMENTS else None
    return Columns(named, asked, tuple(announcements), answers="spans", tag_names=tag_names, group=group)


def entities_of_rows(table: Table, columns: Columns) -> Iterator[Tagged]:
    """The texts and their entities in order; see `supertune.entity_spans.tagged_of`.

    Raises:
        UserError: A cell holds no entities; names the file as well.
    """
    try:
        yield from tagged_of(table, columns)
    except UserError as error:
        raise UserError(error.what, where=f"{table.source}, {error.where}", fix=error.fix) from error


def _shape(sample: Table, profile: Profile) -> str | None:
    if profile.kind not in ("nested", "text"):
        return None
    shapes = [shape_of(value) for value in sample.column(profile.name)[:_LOOKED_AT]]
    found = {shape for shape in shapes if shape is not None}
    if profile.kind == "text" and None in shapes and len(found) == 1:
        # A word that looks like a tag makes no column of tags; an empty cell is no word.
        filled = [
            v for v in sample.column(profile.name)[:_LOOKED_AT] if isinstance(v, str) and v.strip() not in ("", "[]")
        ]
        return next(iter(found)) if all(shape_of(value) for value in filled) else None
    return next(iter(found)) if len(found) == 1 else None


def _entities_by_name(shapes: dict[str, str | None], source: str, *, need_label: bool) -> tuple[str, ...]:
    """The column that holds spans or tags: by its name, or because it is the only one that does."""
    tokens = set(names.TOKEN_NAMES)
    fitting = [name for name, shape in shapes.items() if shape and names.normal(name) not in tokens]
    known = {names.normal(name): name for name in fitting}
    found = next((known[name] for name in names.SPAN_NAMES if name in known), None)
    if found is not None:
        return (found,)
    if len(fitting) == 1:
        return (fitting[0],)
    if not need_label:
        return ()
    shown = ", ".join(map(repr, fitting or shapes))
    what = f"several columns could be the entities: {shown}" if fitting else f"no column looks like entities: {shown}"
    raise UserError(what, where=source, fix="name it with --label NAME")


def _tokens_by_name(sample: Table, profiles: Sequence[Profile]) -> str | None:
    """The column of lists of words: by its name, or because it is the only one."""
    lists = [profile.name for profile in profiles if profile.kind == "nested" and _lists_of_words(sample, profile.name)]
    known = {names.normal(name): name for name in lists}
    by_name = next((known[name] for name in (*names.TOKEN_NAMES, *names.TEXT_NAMES) if name in known), None)
    return by_name if by_name is not None else lists[0] if len(lists) == 1 else None


def _lists_of_words(sample: Table, name: str) -> bool:
    filled = [value for value in sample.column(name)[:_LOOKED_AT] if value is not None]
    return bool(filled) and all(isinstance(v, list) and all(isinstance(word, str) for word in v) for v in filled)


def _written(sample: Table, name: str, shape: str | None) -> str:
    """In what form the entities are, for people to read."""
    if shape != "tags":
        return "spans of characters"
    rows = [tags_in(value, ()) for value in sample.column(name)[:_LOOKED_AT] if _of_words(value)]
    return f"tags, {scheme_of([tags for tags in rows if tags])}" if rows else "tags that are numbers"


def _of_words(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _check_text(sample: Table, profile: Profile, source: str) -> None:
    if profile.kind == "text" or (profile.kind == "nested" and _lists_of_words(sample, profile.name)):
        return
    raise UserError(
        f"holds {KIND_NAMES[profile.kind]}, not text or lists of tokens (e.g. {', '.join(profile.examples) or 'none'})",
        where=f"{source}, column {profile.name!r}",
        fix="name a column of text, or of lists of tokens, with --text NAME",
    )


def _refuse(profile: Profile, source: str) -> None:
    shown = f" (e.g. {', '.join(profile.examples)})" if profile.examples else ""
    if profile.kind in ("nested", "text") and profile.examples:
        # What exactly is wrong with a cell is told by its row, when it is read.
        return
    raise UserError(
        f"holds {KIND_NAMES[profile.kind]}{shown}, not entities",
        where=f"{source}, column {profile.name!r}",
        fix='name the column of entities with --label NAME: spans such as [{"start": 0, "end": 5, "label": "PER"}], '
        "or a tag for every token",
    )
