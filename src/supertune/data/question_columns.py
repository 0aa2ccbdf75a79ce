"""Which columns hold questions, the texts to look in, and the answers: by their names, in English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from supertune.answer_spans import Asked, asked_of
from supertune.contracts import Columns
from supertune.data import names
from supertune.data.profile import KIND_NAMES, Profile
from supertune.data.table import Table
from supertune.errors import UserError

_FIX = "name both texts: --text question --text context"


def question_columns(
    profiles: Sequence[Profile], named: tuple[str, ...], asked: tuple[str, ...], source: str, *, need_label: bool
) -> Columns:
    """Find the columns of questions, texts and answers, or check the ones that were named.

    Rows of one article (the column of titles, if there is one), or else of one text, are to stay in one split: who
    has read a text answers its other questions better.

    Args:
        profiles: The table's columns.
        named: The question's and the text's column, in this order; empty: by their names.
        asked: The column of answers; empty: by its name.
        source: Where the table comes from, for messages.
        need_label: Without a column of answers, raise an error; else there is none.

    Raises:
        UserError: A column cannot be found, or holds no answers.
    """
    by_name = {profile.name: profile for profile in profiles}
    known = {names.normal(profile.name): profile.name for profile in profiles if profile.name not in (*named, *asked)}
    if named and len(named) != 2:
        what = f"a question and the text with its answer are two columns, not {len(named)} ({', '.join(named)})"
        raise UserError(what, where=f"{source}, data.text", fix=_FIX)
    if len(asked) > 1:
        what = f"{len(asked)} columns of answers were named ({', '.join(asked)})"
        raise UserError(what, where="data.label", fix="name one; it may hold several right answers as a list")
    announcements = []
    if not named:
        question, context = (
            _by_name(known, candidates, what, source)
            for candidates, what in ((names.QUESTION_NAMES, "questions"), (names.CONTEXT_NAMES, "texts to look in"))
        )
        named = (question, context)
        announcements.append(f"question: {question!r}, text: {context!r} (by their names)")
    if not asked:
        found = next((known[name] for name in names.ANSWER_NAMES if name in known), None)
        if found is None and need_label:
            raise UserError(
                f"no column is called like answers: {', '.join(map(repr, by_name))}",
                where=source,
                fix="name it with --label NAME",
            )
        asked = (found,) if found is not None else ()
        announcements += [f"answers: {name!r} (by its name)" for name in asked]
    for name in asked:
        _check_answers(by_name[name], source)
    starts = next((known[name] for name in names.START_NAMES if name in known), None) if asked else None
    if starts:
        announcements.append(f"where answers begin: {starts!r} (by its name)")
    titles = (by_name[known[name]] for name in sorted(names.TITLE_NAMES) if name in known)
    group = next((title.name for title in titles if title.kind == "text" and title.distinct > 1), named[1])
    return Columns(named, asked, tuple(announcements), pair=True, answers="answers", starts=starts, group=group)


def questions_of(table: Table, columns: Columns) -> Iterator[Asked]:
    """The questions in order; see `supertune.answer_spans.asked_of`.

    Raises:
        UserError: A cell holds no answer; names the file as well.
    """
    try:
        yield from asked_of(table, columns)
    except UserError as error:
        raise UserError(error.what, where=f"{table.source}, {error.where}", fix=error.fix) from error


def _by_name(known: Mapping[str, str], candidates: Sequence[str], what: str, source: str) -> str:
    for name in candidates:
        if name in known:
            return known[name]
    shown = ", ".join(map(repr, known.values())) or "none"
    raise UserError(f"no column is called like {what}: {shown}", where=source, fix=_FIX)


def _check_answers(profile: Profile, source: str) -> None:
    if profile.kind in ("boolean", "empty", "other"):
        shown = f" (e.g. {', '.join(profile.examples)})" if profile.examples else ""
        raise UserError(
            f"holds {KIND_NAMES[profile.kind]}{shown}, not answers",
            where=f"{source}, column {profile.name!r}",
            fix="name the column of answers with --label NAME",
        )
