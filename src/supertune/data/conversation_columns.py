"""Which columns hold conversations, and how: found by names and values, or as the user names them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from supertune.contracts import Columns, Format, Generation, Layout, Part
from supertune.conversation_rows import Fault, conversations_of, conversations_or_faults
from supertune.conversations import ROLES, Conversation
from supertune.data import names
from supertune.data.conversation_formats import ORDER, Found, Sight
from supertune.data.profile import KIND_NAMES, Profile
from supertune.data.sources.building import OnBadRow
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.language import is_missing
from supertune.prompts import field_of, prompt_of

_SAMPLES = 200
_SHOWN = 5
_KEPT = 1000
_GENERIC: Mapping[str, Format] = {
    "chat": "prompt-completion",
    "summarization": "summary",
    "translation": "translation",
    "generative-qa": "question-answer",
    "text": "text",
}
"""The format of columns that the user named, by the task."""
_EXTRAS: Mapping[Part, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "system": (names.SYSTEM_NAMES, ("text",), "system messages"),
    "tools": (names.TOOLS_NAMES, ("text", "nested"), "functions that may be called"),
    "history": (names.HISTORY_NAMES, ("text", "nested"), "what was said before"),
    "reasoning": (names.REASONING_NAMES, ("text",), "what is thought before an answer"),
    "weight": (names.WEIGHT_NAMES, ("integer", "number", "boolean"), "how much a row counts"),
}
"""Part → what its column is called, the kinds of values it may have, what it is called in announcements."""
_BESIDE: Mapping[Format, tuple[Part, ...]] = {
    "text": ("weight",),
    "summary": ("system", "weight"),
    "translation": ("system", "weight"),
    "question-answer": ("system", "reasoning", "weight"),
    "messages": ("system", "tools", "weight"),
    "sharegpt": ("system", "tools", "weight"),
}
"""Format → what may stand beside it, where that is not everything."""
_OF_LISTS = ("messages", "sharegpt")
_FIX = (
    "name what is asked and what is answered: --text prompt --label answer; or give lists of messages, "
    '[{"role": "user", "content": "…"}, …], in a column messages'
)


def conversation_columns(
    table: Table,
    profiles: Sequence[Profile],
    named: tuple[str, ...],
    asked: tuple[str, ...],
    generation: Generation,
    *,
    need_label: bool,
) -> Columns:
    """Find the format and the columns of conversations, or check the ones that were named.

    Args:
        table: The rows.
        profiles: Its columns.
        named: The columns that are asked with, or that of the messages, or of plain texts; empty: found.
        asked: The columns of answers, the first of which is learned, others acceptable as well; empty: found.
        generation: What the user wants of conversations.
        need_label: Without a column of answers, raise an error; else there may be none.

    Raises:
        UserError: A column cannot be found or holds something else, or the prompt has a field that is none.
    """
    by_name = {profile.name: profile for profile in profiles}
    _check_roles(generation.roles)
    _check_named(named, asked, by_name, generation, table.source)
    sight = Sight(by_name, _samples(table), named or tuple(by_name), asked, need_label, generation.face, table.source)
    found = _found(sight, named)
    if generation.prompt is not None:
        found = _with_prompt(generation.prompt, sight, found, named)
    if found is None:
        found = _named(sight, named)
    for name in found.answers:
        _check_answers(by_name[name.partition(".")[0] if name not in by_name else name], table.source)
    return _columns(found, sight, generation)


def conversations_in(table: Table, columns: Columns) -> Iterator[Conversation]:
    """The conversations in order; see `supertune.conversation_rows.conversations_of`.

    Raises:
        UserError: A row is no conversation; names the file as well.
    """
    try:
        yield from conversations_of(table, columns)
    except UserError as error:
        where = f"{table.source}, {error.where}" if error.where else table.source
        raise UserError(error.what, where=where, fix=error.fix) from error


def well_formed(table: Table, columns: Columns, on_bad_row: OnBadRow = "refuse") -> Table:
    """The rows that are conversations: lists of messages, roles and calls of functions that can be read.

    Args:
        table: The rows.
        columns: Their columns.
        on_bad_row: ``refuse`` raises an error that lists the others; ``skip`` leaves them out, and says so in the
            table's last step.

    Raises:
        UserError: There are rows that are none and they were not to be skipped, or there are no others.
    """
    bad = np.zeros(len(table), bool)
    first: list[Fault] = []
    for row, found in enumerate(conversations_or_faults(table, columns)):
        if isinstance(found, Fault):
            bad[row] = True
            if len(first) < _SHOWN:
                first.append(found)
    count = int(bad.sum())
    if not count:
        return table
    told = [f"row {fault.row_id} {fault.reason} (column {fault.column!r})" for fault in first]
    if count > _SHOWN:
        told.append(f"and {count - _SHOWN:,} more")
    what = f"{'1 row is' if count == 1 else f'{count:,} rows are'} no conversation\n    " + "\n    ".join(told)
    if on_bad_row == "refuse":
        fix = f"{first[0].fix}; or leave them out with --on-bad-row skip"
        raise UserError(what, where=table.source, fix=fix)
    if count == len(table):
        raise UserError(f"no row can be read: {what}", where=table.source, fix=first[0].fix)
    reason = f"{count:,} of {len(table):,} rows are no conversations, such as row {first[0].row_id}: {first[0].reason}"
    return table.select(np.flatnonzero(~bad), step="conversations", reason=reason)


# ---------------------------------------------------------------- finding


def _found(sight: Sight, named: tuple[str, ...]) -> Found | None:
    """The first format that fits; of columns that were named one that has them all."""
    orders = ORDER[sight.face]
    if named:
        # Who names columns may have named those of any format.
        orders = (*orders, *(finder for finder in ORDER["chat"] if finder not in orders))
    for finder in orders:
        found = finder(sight)
        if found is not None and {*named} <= {*_tops(found.fields, sight)}:
            return found
    return None


def _with_prompt(text: str, sight: Sight, found: Found | None, named: tuple[str, ...]) -> Found:
    """What was found, asked in the user's words; or the columns that these name."""
    fields = prompt_of(text, tuple(sight.profiles)).fields
    if extra := [name for name in named if name not in {field.column for field in fields}]:
        what = f"column {extra[0]!r} is named as text, and the prompt does not have it"
        raise UserError(what, where="task.prompt", fix=f"write {{{extra[0]}}} where it is to stand, or do not name it")
    if found is not None and found.prompt is None and not sight.asked:
        raise UserError(
            f"has no use: the rows hold lists of messages ({found.fields[0]!r})",
            where="task.prompt",
            fix="leave task.prompt out, or name the column of answers with --label NAME",
        )
    written = tuple(field.name for field in fields)
    if found is None or found.prompt is None or {*found.answers} & {*_tops(written, sight)}:
        found = _named(sight, tuple(dict.fromkeys(field.column for field in fields)))
    told = f"{found.how.partition(':')[0]}: asked with {', '.join(map(repr, written))}"
    told += f"; answer: {', '.join(map(repr, found.answers))}" if found.answers else ""
    return replace(found, prompt=text, fields=written, how=told)


def _named(sight: Sight, named: tuple[str, ...]) -> Found:
    """Columns that the user named, whatever they are called."""
    if not named:
        raise UserError(
            f"holds no conversations that are known: {'; '.join(map(str, sight.profiles.values()))}",
            where=sight.source,
            fix=_FIX if sight.face != "text" else "name the column with --text NAME",
        )
    for name in named:
        if sight.profiles[name].kind == "nested":
            raise UserError(
                f"holds lists or objects, and no list of messages (e.g. {', '.join(sight.profiles[name].examples)})",
                where=f"{sight.source}, column {name!r}",
                fix=_FIX,
            )
    if sight.face == "text":
        prompt = "\n".join(f"{{{name}}}" for name in named)
        told = f"text: {' + '.join(map(repr, named))} (plain text, learned as it stands, without a chat template)"
        return Found("text", told, prompt, named)
    candidates = (*names.COMPLETION_NAMES, *names.SUMMARY_NAMES)
    answers = sight.answer(candidates, named)
    if answers is None:
        rest = "; ".join(str(profile) for name, profile in sight.profiles.items() if name not in named) or "none"
        raise UserError(
            f"no other column is called like answers: {rest}", where=sight.source, fix="name it with --label NAME"
        )
    prompt = sight.prompt(sight.face, named, answers)
    told = f"what is asked: {', '.join(map(repr, named))}"
    told += f"; answer: {', '.join(map(repr, answers))}" if answers else ""
    return Found(_GENERIC[sight.face], told, prompt, named, answers)


def _columns(found: Found, sight: Sight, generation: Generation) -> Columns:
    parts: dict[Part, str] = dict(found.columns)
    announcements = [found.how]
    if found.answers:
        parts["answer"] = found.answers[0]
    if len(found.answers) > 1:
        announcements.append(f"answers: the first, {found.answers[0]!r}, is learned; the others are acceptable as well")
    taken = {*_tops(found.fields, sight), *_tops(found.answers, sight)}
    for part, name in _extras(found, sight, taken).items():
        parts[part] = name
        announcements.append(f"{_EXTRAS[part][2]}: {name!r} (by its name)")
    if found.format == "alpaca" or (found.prompt is not None and found.prompt != _plain(found)):
        shown = (found.prompt or "").replace("\n", "\\n")
        announcements.append(f"prompt: {shown} (another with --set task.prompt=…)")
    if generation.system:
        announcements.append("system message: the configuration's, where a row has none of its own")
    layout = Layout(found.format, parts, found.prompt, generation.system or None, dict(generation.roles))
    labels = tuple(name for name in found.answers if name in sight.profiles)
    texts = _tops(found.fields, sight)
    return Columns(
        texts, labels, tuple(announcements), answers="generated", layout=layout, group=_group(found, sight, texts)
    )


def _group(found: Found, sight: Sight, texts: Sequence[str]) -> str | None:
    """What keeps rows in one split: of questions on texts the article, by its title, or else the text.

    Who has read a text answers its other questions better.
    """
    if found.format != "question-answer" or len(texts) < 2:
        return None
    known = {names.normal(name): profile for name, profile in sight.profiles.items() if name not in found.answers}
    titles = (known[name] for name in sorted(names.TITLE_NAMES) if name in known)
    return next((title.name for title in titles if title.kind == "text" and title.distinct > 1), texts[0])


def _extras(found: Found, sight: Sight, taken: set[str]) -> dict[Part, str]:
    """The columns of what there may be beside, by their names."""
    parts = _BESIDE.get(found.format, tuple(_EXTRAS))
    known = {names.normal(name): name for name in sight.profiles if name not in taken}
    extras: dict[Part, str] = {}
    for part in parts:
        candidates, kinds, _ = _EXTRAS[part]
        fitting = (known[name] for name in candidates if name in known)
        name = next((name for name in fitting if sight.profiles[name].kind in kinds), None)
        if name is not None:
            extras[part] = name
    return extras


def _plain(found: Found) -> str:
    return "\n".join(f"{{{name}}}" for name in found.fields)


def _tops(fields: Sequence[str], sight: Sight) -> tuple[str, ...]:
    """The columns that fields stand in, each once."""
    places = (field_of(name, tuple(sight.profiles)) for name in fields)
    return tuple(dict.fromkeys(place.column for place in places if place is not None))


def _samples(table: Table) -> dict[str, list[object]]:
    """Column → at most 200 of its values, spread evenly; a few at a time are in memory."""
    positions = np.unique(np.linspace(0, len(table) - 1, min(_SAMPLES, len(table))).round().astype(np.int64))
    samples: dict[str, list[object]] = {name: [] for name in table.column_names}
    for batch in table.select(positions, step="sample").batches(16):
        for name, values in batch.items():
            samples[name] += [value for value in values if not is_missing(value)]
    return samples


# ---------------------------------------------------------------- checking


def _check_roles(roles: Mapping[str, str]) -> None:
    for spelling, role in roles.items():
        if role not in ROLES:
            raise UserError(
                f"says that {spelling!r} speaks as {role!r}, which is no role",
                where="task.roles",
                fix=f"use one of {', '.join(ROLES)}",
            )


def _check_named(
    named: tuple[str, ...],
    asked: tuple[str, ...],
    by_name: Mapping[str, Profile],
    generation: Generation,
    source: str,
) -> None:
    if generation.face == "text" and asked:
        what = f"column {asked[0]!r} is named as label, and text as such has no answers"
        raise UserError(what, where="data.label", fix="leave it out, or use --task chat")
    for name in (*named, *asked):
        if by_name[name].kind in ("boolean", "empty", "other"):
            shown = f" (e.g. {', '.join(by_name[name].examples)})" if by_name[name].examples else ""
            raise UserError(
                f"holds {KIND_NAMES[by_name[name].kind]}{shown}, not text",
                where=f"{source}, column {name!r}",
                fix="name a column of text, or of lists of messages",
            )


def _check_answers(profile: Profile, source: str) -> None:
    if profile.kind in ("boolean", "empty", "other"):
        raise UserError(
            f"holds {KIND_NAMES[profile.kind]}, not answers",
            where=f"{source}, column {profile.name!r}",
            fix="name the column of answers with --label NAME",
        )


assert set(itertools.chain.from_iterable(kinds for _, kinds, _ in _EXTRAS.values())) <= set(KIND_NAMES)
