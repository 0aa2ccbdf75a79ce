"""Makes new rows of training rows: which are asked for, which are kept, and the table of all.

A new row depends on its original, its augmenter, the number of the copy and the seed, and on nothing else. Which of two
equal new rows is kept, and which are drawn where classes are brought up, is decided by those same numbers: neither the
order of the rows nor how many are asked for at a time changes what comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from supertune.contracts import Columns, TextWriter
from supertune.data.augment.amount import Amount
from supertune.data.augment.asking import Watched
from supertune.data.augment.augmenter import Augmenter, BatchAugmenter
from supertune.data.augment.drawing import draw_number
from supertune.data.augment.kept import Keeper
from supertune.data.augment.making import Maker
from supertune.data.augment.protection import Protection
from supertune.data.augment.results import Augmented, Made
from supertune.data.augment.roles import changeable, columns_of
from supertune.data.augment.sources import Sources, sources_of
from supertune.data.augment.writing import Added, augmented_table
from supertune.data.table import Table
from supertune.errors import UserError

_AT_A_TIME = 512

Progress = Callable[[float], None]
"""Told the part of the work that is done, 0 to 1."""


@dataclass(frozen=True)
class Candidate:
    """A new row that could be made.

    Attributes:
        place: Position of its original in the table.
        augmenter: Number of what makes it.
        copy: Which one of those that it makes of this row.
        number: By chance; the smallest come first.
    """

    place: int
    augmenter: int
    copy: int
    number: int


def augment(
    table: Table,
    columns: Columns,
    augmenters: Sequence[Augmenter],
    *,
    amount: Amount | None = None,
    protection: Protection | None = None,
    seed: int = 0,
    held_out: Sequence[Table] = (),
    writer: TextWriter | None = None,
    progress: Progress | None = None,
) -> Augmented:
    """Add rows to training rows; no other rows may be handed over.

    Args:
        table: The training rows. Rows that were made of others earlier stay, and no new ones are made of them.
        columns: Their texts and labels.
        augmenters: What makes the new rows.
        amount: How many; None: one of each row by each augmenter.
        protection: What stays as it is; None: the defaults.
        seed: Chooses what is changed.
        held_out: Rows that are asked about: no new row may be equal to one of them.
        writer: What writes, for augmenters that ask.
        progress: Told how far it is.

    Raises:
        UserError: The texts may not be changed, classes are to be brought up where there are none, an augmenter needs a
            writer and there is none, or something is missing that an augmenter needs.
    """
    amount, protection = amount or Amount(), protection or Protection()
    if not augmenters:
        raise UserError("no augmenter was named", where="augment", fix="name one: --by random-deletion")
    allowed = changeable(table, columns)
    of = [columns_of(augmenter, allowed) for augmenter in augmenters]
    if writer is None:
        for augmenter in augmenters:
            if isinstance(augmenter, BatchAugmenter):
                what = "asks a model, and none was named"
                raise UserError(what, where=f"augmenter {augmenter.name}", fix="name a model that writes")
    sources = sources_of(table, columns, protection)
    made = [Made(augmenter.name, augmenter.options) for augmenter in augmenters]
    watched = None if writer is None or progress is None else Watched(writer, progress)
    maker = Maker(sources, augmenters, of, protection, seed, watched or writer)
    keeper = Keeper(sources, columns, held_out)
    found, announcements = list[Added](), list[str]()
    for group in _groups(sources, augmenters, amount, columns, seed, table.source):
        start, missing = 0, group.missing
        while missing > 0 and start < len(group.candidates):
            # None behind those that are needed at least.
            piece = group.candidates[start : start + min(_AT_A_TIME, missing)]
            if watched is not None:
                part = group.part / len(group.candidates)
                watched.begin(group.before + part * start, part * len(piece), _questions(piece, augmenters, of))
            start += len(piece)
            kept = _keep(piece, maker.make(piece), keeper, made)
            found += kept
            missing -= len(kept)
            if progress is not None:
                progress(group.before + group.part * min(1.0, start / len(group.candidates)))
        if group.label is not None and missing > 0:
            announcements.append(
                f"class {group.label!r} has {missing:,} rows fewer than it should have: no more new ones can be made, "
                f"with at most {amount.most_of_one} of one row"
            )
    found.sort(key=lambda added: (added.place, added.augmenter, added.copy))
    _samples(made, found, sources)
    steps = [(augmenter.name, dict(augmenter.options)) for augmenter in augmenters]
    how = amount.model_dump(exclude_defaults=True) | {"seed": seed} | protection.model_dump(exclude_defaults=True)
    if progress is not None:
        progress(1.0)
    return Augmented(augmented_table(table, sources, found, made, steps, how), tuple(made), tuple(announcements))


def _questions(piece: Sequence[Candidate], augmenters: Sequence[Augmenter], of: Sequence[Sequence[str]]) -> int:
    """How many a writer will be asked, at most."""
    steps = [augmenter.steps if isinstance(augmenter, BatchAugmenter) else 0 for augmenter in augmenters]
    return sum(steps[candidate.augmenter] * len(of[candidate.augmenter]) for candidate in piece)


@dataclass(frozen=True)
class _Group:
    """Candidates of which some are made, in order.

    Attributes:
        candidates: The first come first.
        missing: How many are to be kept.
        label: The class that is brought up; None where there are no classes to be.
        before: Part of all the work that is done before it.
        part: Its part of all the work.
    """

    candidates: list[Candidate]
    missing: int
    label: str | None
    before: float
    part: float


def _groups(
    sources: Sources, augmenters: Sequence[Augmenter], amount: Amount, columns: Columns, seed: int, source: str
) -> Iterator[_Group]:
    if not amount.by_class:
        copies = [augmenter.copies or amount.copies for augmenter in augmenters]
        found = [
            candidate for place in sources.places for candidate in _of_row(place, sources, augmenters, copies, seed)
        ]
        found.sort(key=lambda candidate: candidate.number)
        yield _Group(found, len(found), None, 0.0, 1.0)
        return
    if columns.answers != "classes" or sources.labels is None:
        what = "rows of this task have no classes that could be brought up"
        raise UserError(what, where=source, fix="leave out balance and rows_per_class")
    counts = Counter(sources.all_labels)
    wanted = amount.rows_per_class or max(counts.values(), default=0)
    copies = [augmenter.copies or amount.most_of_one for augmenter in augmenters]
    short = {label: wanted - count for label, count in sorted(counts.items()) if count < wanted}
    whole, done = max(sum(short.values()), 1), 0
    places = dict[str, list[int]]()
    for place in sources.places:
        places.setdefault(sources.labels[place] or "", []).append(place)
    for label, missing in short.items():
        ranked = list[tuple[int, Candidate]]()
        for place in places.get(label, []):
            of_row = sorted(_of_row(place, sources, augmenters, copies, seed), key=lambda each: each.number)
            ranked += enumerate(of_row[: amount.most_of_one])
        # One of every row before a second one of any.
        ranked.sort(key=lambda pair: (pair[0], pair[1].number))
        yield _Group([candidate for _, candidate in ranked], missing, label, done / whole, missing / whole)
        done += missing


def _of_row(
    place: int, sources: Sources, augmenters: Sequence[Augmenter], copies: Sequence[int], seed: int
) -> list[Candidate]:
    key = sources.keys[place]
    return [
        Candidate(place, number, copy, draw_number(seed, key, augmenter, copy))
        for number, augmenter in enumerate(augmenters)
        for copy in range(copies[number])
    ]


def _keep(
    piece: Sequence[Candidate], results: Sequence[Added | str], keeper: Keeper, made: Sequence[Made]
) -> list[Added]:
    """The new rows that are kept, and what became of the others counted."""
    kept = list[Added]()
    for candidate, result in zip(piece, results, strict=True):
        tally = made[candidate.augmenter]
        tally.asked += 1
        reason = result if isinstance(result, str) else keeper.refused(result)
        if reason is not None:
            tally.drop(reason)
        elif isinstance(result, Added):
            tally.added += 1
            kept.append(result)
    return kept


def _samples(made: Sequence[Made], found: Sequence[Added], sources: Sources) -> None:
    """Keep some changes of each augmenter, those of the rows whose draws are smallest."""
    by: Mapping[int, list[Added]] = {number: [] for number in range(len(made))}
    for added in found:
        by[added.augmenter].append(added)
    for number, tally in enumerate(made):
        chosen = sorted(by[number], key=lambda added: (sources.keys[added.place], added.copy))[:5]
        tally.samples = [sources.change(added.place, added.texts) for added in chosen]
