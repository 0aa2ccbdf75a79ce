"""Which column is the text and which the label: by name, then by shape, and by asking when neither decides."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Columns, Generation
from supertune.data import names
from supertune.data.augmented_rows import AUGMENT_COLUMNS
from supertune.data.conversation_columns import conversation_columns
from supertune.data.profile import KIND_NAMES, Profile, profiles_of
from supertune.data.question_columns import question_columns
from supertune.data.ranking_columns import ranking_columns
from supertune.data.set_columns import indicators, settled_sets, speaks_of_sets
from supertune.data.span_columns import span_columns
from supertune.data.summary_columns import summary_columns
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.language import is_missing

_CLEARLY_LONGER = 2.0


@dataclass(frozen=True)
class _Wanted:
    """What a column to learn looks like.

    Attributes:
        names: What it is called, beside plain names.
        fits: Whether a column could be one.
        shape: How one is known that no name tells.
        called: What it is called in messages.
    """

    names: frozenset[str]
    fits: Callable[[Profile], bool]
    shape: str
    called: str


_CLASSES = _Wanted(names.LABEL_NAMES, lambda profile: profile.could_be_label, "the one column of few values", "a label")
_NUMBERS = _Wanted(
    names.NUMBER_NAMES, lambda profile: profile.could_be_numbers, "the one column of numbers", "numbers to learn"
)
_SETS = _Wanted(names.SET_NAMES, speaks_of_sets, "the one column of several labels", "several labels")
_WANTED: Mapping[str, _Wanted] = {"classes": _CLASSES, "numbers": _NUMBERS, "sets": _SETS}
_FINDERS = {
    "answers": question_columns,
    "texts": summary_columns,
    "ranking": ranking_columns,
    "reranking": ranking_columns,
}
"""What finds columns by names of their own."""


def infer_columns(
    table: Table,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    need_label: bool = True,
    answers: str = "classes",
    separator: str | None = None,
    pair: bool | None = None,
    tag_names: Sequence[str] = (),
    generation: Generation | None = None,
) -> Columns:
    """Find the text and the label column, or check the ones that were named.

    Plain names (``text``, ``label``, ``文本``, ``标签``) come first, then usual ones (``review``,
    ``intent``, ``评论``), then names that contain one of those, then shape: the longest free text, the one column
    of few values, or of numbers. A title is joined to its body; two columns whose names say so (``premise`` and
    ``hypothesis``, ``sentence1`` and ``sentence2``, ``句子1`` and ``句子2``) are a pair. A sample of at most 10,000
    rows, spread evenly, is looked at.

    Args:
        table: The rows.
        text: The text column or columns; found when None.
        label: The label column, columns of numbers, or columns of which each says whether its label applies; found
            when None.
        need_label: Without a label column, or with several that would do, raise an error; else there is none.
        answers: What is to be learned: ``classes``, ``numbers``, ``sets`` of labels, ``answers`` that stand in the
            second of two texts (see `question_columns`), ``spans`` of a text (see `span_columns`), ``texts`` that sum
            another up (see `summary_columns`), ``ranking`` of passages (see `ranking_columns`), or ``generated`` (see
            `conversation_columns`).
        separator: What stands between the labels of a row, for sets; found when None.
        pair: Whether two text columns are two texts to be compared; None: by their names.
        tag_names: For spans: what tags that are numbers are called.
        generation: For what is generated: the task and the user's prompt.

    Raises:
        UserError: A named column is missing or of the wrong kind, or the choice is not clear.
    """
    named = (text,) if isinstance(text, str) else tuple(text or ())
    asked = (label,) if isinstance(label, str) else tuple(label or ())
    for column, option in [*((name, "--text") for name in named), *((name, "--label") for name in asked)]:
        _require(table, column, option)
    by_name = {profile.name: profile for profile in profiles_of(table)}
    profiles = [profile for profile in by_name.values() if profile.name not in AUGMENT_COLUMNS]
    if answers in _FINDERS:
        _check_asked(asked, named, table.source, answers)
        found_columns = _FINDERS[answers](profiles, named, asked, table.source, need_label=need_label)
        for name in found_columns.text:
            _check_text(by_name[name], table.source)
        return found_columns
    if answers == "spans":
        return span_columns(table, profiles, named, asked, tuple(tag_names), _text_alone, need_label=need_label)
    if answers == "generated":
        _check_asked(asked, named, table.source, answers)
        return conversation_columns(table, profiles, named, asked, generation or Generation(), need_label=need_label)
    wanted = _WANTED[answers]
    for name in named:
        _check_text(by_name[name], table.source)
    _check_asked(asked, named, table.source, answers)
    announcements: list[str] = []
    free = [profile for profile in profiles if profile.name not in named and profile.name not in asked]
    found = [by_name[name] for name in asked] or _label_by_name(free, table.source, wanted, need_label=need_label)
    if not named:
        others = [profile for profile in free if profile not in found]
        named, how = _find_text(others, table.source, pairs=pair is not False)
        announcements.append(f"text: {' + '.join(map(repr, named))} ({how})")
    rest = [profile for profile in free if profile.name not in named]
    if not found and answers == "sets" and len(found := indicators(rest)) > 1:
        announcements.append(f"labels: {', '.join(profile.name for profile in found)} (columns of 0 and 1)")
    elif not found and need_label:
        found = [_label_by_shape(rest, table.source, wanted)]
        announcements.append(f"label: {found[0].name!r} ({wanted.shape}: {', '.join(found[0].examples)})")
    elif found and not asked:
        announcements.append(f"label: {found[0].name!r} (by its name; values such as {', '.join(found[0].examples)})")
    for profile in found:
        _CHECKS[answers](profile, table.source)
    columns = Columns(
        named,
        tuple(profile.name for profile in found),
        tuple(announcements),
        _are_pair(named, pair, table.source),
        answers=answers,
        separator=separator,
    )
    return settled_sets(table, columns) if answers == "sets" and found else columns


def set_aside_unlabelled(table: Table, *labels: str) -> tuple[Table, Table]:
    """The rows that have every label, and those of which one is missing, empty or blank; all of them without labels."""
    if not labels:
        return table, table.select(np.zeros(0, np.int64), step="unlabelled")
    missing = np.fromiter(
        (
            any(map(is_missing, values))
            for batch in table.batches(columns=labels)
            for values in zip(*(batch[name] for name in labels), strict=True)
        ),
        bool,
        len(table),
    )
    parameters = {"label": labels[0] if len(labels) == 1 else list(labels)}
    unlabelled = table.select(np.flatnonzero(missing), step="unlabelled", parameters=parameters)
    if not missing.any():
        return table, unlabelled
    reason = f"{int(missing.sum()):,} rows have no label"
    labelled = table.select(np.flatnonzero(~missing), step="labelled", parameters=parameters, reason=reason)
    return labelled, unlabelled


# ---------------------------------------------------------------- choosing


def _label_by_name(profiles: Sequence[Profile], source: str, wanted: _Wanted, *, need_label: bool) -> list[Profile]:
    """The label by its name; none when no name speaks for one."""
    plain = [profile for profile in profiles if names.normal(profile.name) in names.PLAIN_LABEL_NAMES]
    usual = [profile for profile in profiles if names.normal(profile.name) in wanted.names]
    part = [profile for profile in profiles if names.words(profile.name) & wanted.names]
    for tier, test in ((plain, _anything), (usual, wanted.fits), (part, wanted.fits)):
        fitting = [profile for profile in tier if test(profile)]
        if len(fitting) == 1:
            return fitting
        if fitting:
            if need_label:
                raise _ambiguous("label", fitting, source)
            return []
    return []


def _label_by_shape(profiles: Sequence[Profile], source: str, wanted: _Wanted) -> Profile:
    fitting = [profile for profile in profiles if wanted.fits(profile)]
    if wanted is _NUMBERS:
        named = [profile for profile in profiles if names.normal(profile.name) in names.NUMBER_NAMES]
        if spoilt := [profile for profile in named if profile.kind == "text"]:
            # A column that is called a price holds prices, though a reader cannot tell: "$12.50".
            _check_numbers(spoilt[0], source)
            return spoilt[0]
        fitting = [p for p in fitting if not (p.numbers_rows or names.is_identifier(p.name))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _ambiguous("label", fitting, source)
    shown = "; ".join(map(str, profiles)) if profiles else "there is no other column than the text"
    raise UserError(f"no column looks like {wanted.called}: {shown}", where=source, fix="name it with --label NAME")


def _find_text(profiles: Sequence[Profile], source: str, *, pairs: bool) -> tuple[tuple[str, ...], str]:
    """The text columns, and how they were found."""
    if pairs and (sides := _pair_among(profiles)):
        return sides, "a pair, by their names"
    plain = [profile for profile in profiles if names.normal(profile.name) in names.PLAIN_TEXT_NAMES]
    usual = [profile for profile in profiles if names.normal(profile.name) in names.TEXT_NAMES]
    title = [profile for profile in profiles if names.normal(profile.name) in names.TITLE_NAMES]
    part = [profile for profile in profiles if names.words(profile.name) & names.TEXT_NAMES]
    for tier, test in ((plain, _may_be_text), (usual, _may_be_text), (title, _is_free_text), (part, _may_be_text)):
        fitting = [profile for profile in tier if test(profile)]
        if len(fitting) > 1 and (sentences := [profile for profile in fitting if profile.is_free_text]):
            # Beside a column of sentences, one of codes ("ticket": T-0017) is an identifier.
            fitting = sentences
        if len(fitting) == 1:
            return _with_title(fitting[0], title)
        if fitting:
            raise _ambiguous("text", fitting, source)
    fitting = sorted((p for p in profiles if p.is_free_text), key=lambda profile: -profile.width)
    if len(fitting) == 1 or (fitting and fitting[0].width >= _CLEARLY_LONGER * fitting[1].width):
        return (fitting[0].name,), "the longest free text"
    if fitting:
        raise _ambiguous("text", fitting, source)
    if len(strings := [profile for profile in profiles if profile.could_be_text]) == 1:
        return (strings[0].name,), "the only column of text"
    shown = "; ".join(map(str, profiles)) if profiles else "there is no other column than the label"
    raise UserError(f"no column looks like text: {shown}", where=source, fix="name it with --text NAME")


def _text_alone(profiles: Sequence[Profile], source: str) -> str:
    """The text column where there is one text, and a title is none of it."""
    return _find_text(profiles, source, pairs=False)[0][-1]


def _pair_among(profiles: Sequence[Profile]) -> tuple[str, str] | None:
    """The two columns whose names say that they are a pair; None for none, several, or beside a plain text column."""
    known = {names.side(profile.name): profile.name for profile in profiles if profile.could_be_text}
    found = [(known[one], known[other]) for one, other in names.PAIR_NAMES if one in known and other in known]
    return found[0] if len(found) == 1 and not known.keys() & names.PLAIN_TEXT_NAMES else None


def _are_pair(text: tuple[str, ...], wanted: bool | None, source: str) -> bool:
    """Whether the text columns are two texts to be compared."""
    if wanted and len(text) != 2:
        raise UserError(
            f"a pair has two text columns, not {len(text)} ({', '.join(text)})",
            where=f"{source}, data.pair",
            fix="name both: --text premise --text hypothesis",
        )
    called = tuple(map(names.side, text))
    return bool(wanted) if wanted is not None else called in names.PAIR_NAMES or called[::-1] in names.PAIR_NAMES


def _with_title(body: Profile, titles: Sequence[Profile]) -> tuple[tuple[str, ...], str]:
    free = [title for title in titles if title.is_free_text and title is not body]
    if len(free) == 1 and names.normal(body.name) in names.BODY_NAMES:
        return (free[0].name, body.name), "by their names, title and body joined"
    return (body.name,), "by its name"


def _anything(profile: Profile) -> bool:
    return True


def _may_be_text(profile: Profile) -> bool:
    return profile.could_be_text


def _is_free_text(profile: Profile) -> bool:
    return profile.is_free_text


def _ambiguous(role: str, profiles: Sequence[Profile], source: str) -> UserError:
    shown = "; ".join(map(str, profiles))
    return UserError(
        f"{len(profiles)} columns could be the {role}: {shown}",
        where=source,
        fix=f"name the one you mean with --{role} NAME",
    )


# ---------------------------------------------------------------- checking


def _require(table: Table, name: str, option: str) -> None:
    if name in table.column_names:
        return
    known = {names.normal(column): column for column in table.column_names}
    close = difflib.get_close_matches(names.normal(name), known, n=1)
    hint = f"did you mean {option} {known[close[0]]!r}? " if close else ""
    raise UserError(
        f"has no column {name!r}",
        where=table.source,
        fix=f"{hint}its columns are {', '.join(map(repr, table.column_names))}",
    )


def _check_asked(asked: tuple[str, ...], text: tuple[str, ...], source: str, answers: str) -> None:
    """Refuse label columns that are texts as well, are named twice, or are several where there can be one."""
    if both := [name for name in asked if name in text]:
        raise UserError(f"column {both[0]!r} cannot be both text and label", where=source, fix="name two columns")
    if twice := [name for name in asked if asked.count(name) > 1]:
        raise UserError(f"column {twice[0]!r} is named twice", where="data.label", fix="name each column once")
    if len(asked) > 1 and answers == "classes":
        raise UserError(
            f"{len(asked)} label columns were named ({', '.join(asked)})",
            where="data.label",
            fix="name one; several need --task regression (columns of numbers) or multilabel (columns of 0 and 1)",
        )


def _check_text(profile: Profile, source: str) -> None:
    if profile.kind != "text":
        raise UserError(
            f"holds {KIND_NAMES[profile.kind]}, not text (e.g. {', '.join(profile.examples) or 'none'})",
            where=f"{source}, column {profile.name!r}",
            fix="name a column of text with --text NAME",
        )


def _check_numbers(profile: Profile, source: str) -> None:
    """Refuse what holds no numbers; single words among numbers are told by their rows later."""
    if profile.kind in ("integer", "number"):
        return
    if profile.kind == "text" and any(_is_number(example.strip("'")) for example in profile.examples):
        return
    shown = f" (e.g. {', '.join(profile.examples)})" if profile.examples else ""
    raise UserError(
        f"holds {KIND_NAMES[profile.kind]}{shown}, not numbers",
        where=f"{source}, column {profile.name!r}",
        fix="name a column of numbers with --label NAME; for classes leave out --task regression",
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _check_label(profile: Profile, source: str) -> None:
    """Refuse what cannot be a class: fractions, lists, free text, identifiers."""
    where = f"{source}, column {profile.name!r}"
    fix = "name another column with --label NAME"
    shown = ", ".join(profile.examples)
    if profile.kind == "number":
        fix = "write classes as text or integers; numbers to be predicted need --task regression"
        raise UserError(f"a class label cannot be a number with a fraction (e.g. {shown})", where=where, fix=fix)
    if profile.kind not in ("text", "integer", "boolean"):
        shown = f" (e.g. {shown})" if shown else ""
        raise UserError(f"holds {KIND_NAMES[profile.kind]}{shown}, not class labels", where=where, fix=fix)
    if profile.near_unique:
        what = f"{profile.distinct:,} of {profile.filled:,} labels differ (e.g. {shown}): these are not classes"
        raise UserError(what, where=where, fix=fix)


def _check_set_column(profile: Profile, source: str) -> None:
    """Refuse what cannot hold labels; what it does hold is looked at value by value."""
    if profile.kind in ("number", "other", "empty"):
        shown = f" (e.g. {', '.join(profile.examples)})" if profile.examples else ""
        raise UserError(
            f"holds {KIND_NAMES[profile.kind]}{shown}, not labels",
            where=f"{source}, column {profile.name!r}",
            fix="name another column with --label NAME",
        )


_CHECKS: Mapping[str, Callable[[Profile, str], None]] = {
    "classes": _check_label,
    "numbers": _check_numbers,
    "sets": _check_set_column,
}
