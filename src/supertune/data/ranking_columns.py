"""Which columns hold queries, passages, and what is known of the two: by their names, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from supertune.contracts import Columns
from supertune.data import names
from supertune.data.profile import KIND_NAMES, Profile
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.relevance import Ranked, ranked_of

_FIX = "name both: --text query --text passage"
_NUMBERED = re.compile(r"[\s_-]*\d+$")


def ranking_columns(
    profiles: Sequence[Profile], named: tuple[str, ...], asked: tuple[str, ...], source: str, *, need_label: bool
) -> Columns:
    """Find the columns of queries, passages, relevance and further passages, or check the ones that were named.

    Rows that share what comes back more often stay in one split, the query or the passage (of articles with titles,
    the article): who has learned from a passage finds it more easily, and a query's passages are found together or
    not at all.

    Args:
        profiles: The table's columns.
        named: The query's and the passage's column, and then any of passages that are not asked for; empty: by their
            names.
        asked: The column of relevance; empty: by its name, and none where there is none.
        source: Where the table comes from, for messages.
        need_label: Whether rows are to be learned from.

    Raises:
        UserError: A column cannot be found, or holds something else.
    """
    by_name = {profile.name: profile for profile in profiles}
    known = {names.normal(profile.name): profile.name for profile in profiles if profile.name not in (*named, *asked)}
    if len(named) == 1:
        what = f"a query and the passage that it asks for are two columns, not one ({named[0]})"
        raise UserError(what, where=f"{source}, data.text", fix=_FIX)
    if len(asked) > 1:
        what = f"{len(asked)} columns of relevance were named ({', '.join(asked)})"
        raise UserError(what, where="data.label", fix="name one, with 0 for what is not asked for")
    announcements = []
    text, negatives = named[:2], named[2:]
    if not named:
        query = _first(known, names.QUERY_NAMES, "queries", source)
        rest = {name: column for name, column in known.items() if column != query}
        text = (query, _first(rest, names.PASSAGE_NAMES, "passages", source))
        announcements.append(f"query: {text[0]!r}, passage: {text[1]!r} (by their names)")
    if not negatives:
        found = [name for name in known if _NUMBERED.sub("", name) in names.NEGATIVE_NAMES]
        negatives = tuple(known[name] for name in found if known[name] not in text)
        announcements += [f"not asked for: {', '.join(map(repr, negatives))} (by name)"] if negatives else []
    if not asked:
        label = next((known[name] for name in names.RELEVANCE_NAMES if name in known), None)
        if label is not None and label not in (*text, *negatives) and not by_name[label].is_free_text:
            asked = (label,)
            announcements.append(f"relevance: {label!r} (by its name)")
        elif need_label:
            announcements.append("no column of relevance: every passage is what its query asks for")
    for name in asked:
        _check_relevance(by_name[name], source)
    titles = (by_name[known[name]] for name in sorted(names.TITLE_NAMES) if name in known)
    title = next((title.name for title in titles if title.kind == "text" and title.distinct > 1), None)
    together = min(text, key=lambda name: by_name[name].distinct)
    group = text[0] if asked else title or together
    return Columns(
        (text[0], text[1]),
        asked,
        tuple(announcements),
        pair=True,
        answers="ranking",
        negatives=negatives,
        group=group,
    )


def ranked_rows(table: Table, columns: Columns) -> Iterator[Ranked]:
    """The rows in order; see `supertune.relevance.ranked_of`.

    Raises:
        UserError: A relevance is no number; names the file as well.
    """
    try:
        yield from ranked_of(table, columns)
    except UserError as error:
        raise UserError(error.what, where=f"{table.source}, {error.where}", fix=error.fix) from error


def _first(known: dict[str, str], candidates: Sequence[str], what: str, source: str) -> str:
    for name in candidates:
        if name in known:
            return known[name]
    shown = ", ".join(map(repr, known.values())) or "none"
    raise UserError(f"no column is called like {what}: {shown}", where=source, fix=_FIX)


def _check_relevance(profile: Profile, source: str) -> None:
    """Refuse what holds no numbers at all; single words among them are told by their rows later."""
    if profile.kind in ("integer", "number", "boolean"):
        return
    if profile.kind == "text" and any(example.strip("'").replace(".", "", 1).isdigit() for example in profile.examples):
        return
    shown = f" (e.g. {', '.join(profile.examples)})" if profile.examples else ""
    raise UserError(
        f"holds {KIND_NAMES[profile.kind]}{shown}, not how relevant a passage is",
        where=f"{source}, column {profile.name!r}",
        fix="write 0 for a passage that is not what the query asks for, 1 (or how much) for one that is",
    )
