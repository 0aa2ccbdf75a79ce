"""Which columns hold documents and their summaries: by their names, in English and Chinese, then by their lengths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from supertune.contracts import Columns
from supertune.data import names
from supertune.data.profile import KIND_NAMES, Profile
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.summary_texts import Summarised, summarised_of

_NUMBERED = re.compile(r"[\s_-]*\d{1,2}$")
_CLEARLY_LONGER = 2.0


def summary_columns(
    profiles: Sequence[Profile], named: tuple[str, ...], asked: tuple[str, ...], source: str, *, need_label: bool
) -> Columns:
    """Find the columns of documents and summaries, or check the ones that were named.

    Several columns whose names differ by a number (summary1, summary2) hold a summary each, all acceptable.

    Args:
        profiles: The table's columns.
        named: The text columns; empty: by their names.
        asked: The columns of summaries; empty: by their names.
        source: Where the table comes from, for messages.
        need_label: Without a column of summaries, raise an error; else there is none.

    Raises:
        UserError: A column cannot be found, or holds no summaries.
    """
    by_name = {profile.name: profile for profile in profiles}
    free = [profile for profile in profiles if profile.name not in (*named, *asked)]
    announcements = []
    if not asked:
        asked = called(free, names.SUMMARY_NAMES, parts=True)
        if asked:
            announcements.append(
                f"summary: {', '.join(map(repr, asked))} (by {'its name' if len(asked) == 1 else 'their names'})"
            )
        elif need_label:
            raise UserError(
                f"no column is called like summaries: {', '.join(map(repr, by_name))}",
                where=source,
                fix="name it with --label NAME",
            )
    if not named:
        rest = [profile for profile in free if profile.name not in asked]
        named, how = _documents(rest, source)
        announcements.insert(0, f"text: {named[0]!r} ({how})")
    for name in asked:
        _check_summaries(by_name[name], source)
    return Columns(named, asked, tuple(announcements), answers="texts")


def documents_of(table: Table, columns: Columns) -> Iterator[Summarised]:
    """The documents in order; see `supertune.summary_texts.summarised_of`.

    Raises:
        UserError: A cell holds no summary; names the file as well.
    """
    try:
        yield from summarised_of(table, columns)
    except UserError as error:
        raise UserError(error.what, where=f"{table.source}, {error.where}", fix=error.fix) from error


def called(profiles: Sequence[Profile], candidates: Sequence[str], *, parts: bool = False) -> tuple[str, ...]:
    """The columns that are called like the first of the candidates that any is called like; numbered ones together."""
    plain = {profile.name: _NUMBERED.sub("", names.normal(profile.name)) for profile in profiles}
    for candidate in candidates:
        exact = [name for name in plain if names.normal(name) == candidate]
        if exact:
            return tuple(exact[:1])
        if numbered := [name for name, root in plain.items() if root == candidate]:
            return tuple(numbered)
    if not parts:
        return ()
    known = frozenset(candidates)
    longer = [
        profile.name for profile in profiles if names.words(profile.name) & known and profile.kind in ("text", "nested")
    ]
    return tuple(longer) if len(longer) == 1 else ()


def _documents(profiles: Sequence[Profile], source: str) -> tuple[tuple[str, ...], str]:
    fitting = [profile for profile in profiles if profile.kind == "text"]
    if found := called(fitting, names.DOCUMENT_NAMES):
        return found[:1], "by its name"
    texts = sorted((p for p in fitting if p.is_free_text), key=lambda profile: -profile.width)
    if len(texts) == 1 or (texts and texts[0].width >= _CLEARLY_LONGER * texts[1].width):
        return (texts[0].name,), "the longest free text"
    shown = "; ".join(map(str, profiles)) if profiles else "there is no other column than the summary"
    raise UserError(f"no column is called like documents: {shown}", where=source, fix="name it with --text NAME")


def _check_summaries(profile: Profile, source: str) -> None:
    if profile.kind not in ("text", "nested"):
        shown = f" (e.g. {', '.join(profile.examples)})" if profile.examples else ""
        raise UserError(
            f"holds {KIND_NAMES[profile.kind]}{shown}, not summaries",
            where=f"{source}, column {profile.name!r}",
            fix="name the column of summaries with --label NAME",
        )
