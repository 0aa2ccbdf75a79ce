"""Runs the steps of a preparation over tables: in one pass where rows are judged alone, over all where they are not.

Steps that look at single rows are done together, batch by batch, in one process or several: the result is the same,
since what happens to a row depends on that row alone. Neither the rows nor what became of them need fit in memory;
only the numbers of rows that went do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from supertune.contracts import Columns
from supertune.data.clean.operator import Decided, Judgement, Operator, Selection
from supertune.data.clean.parallel import in_order
from supertune.data.clean.results import Change, Cleaned, StepDone, Tally
from supertune.data.clean.roles import checked_roles
from supertune.data.clean.row_steps import Piece, RowSteps, shown
from supertune.data.label_errors import LabelErrors
from supertune.data.sources.building import TableBuilder
from supertune.data.sources.spill import key_of
from supertune.data.table import Step, Table
from supertune.errors import UserError

BATCH_ROWS = 4096
WORTH_A_PROCESS = 50_000
"""Rows per process below which starting it takes longer than it saves."""

Progress = Callable[[float], None]
"""Told the part of the work that is done, 0 to 1."""
Judge = Callable[[Mapping[str, Table], Columns], LabelErrors | None]
"""Which labels of which rows are probably wrong; it has an encoder, which this room knows nothing of."""
_Done = dict[str, list[StepDone]]
_WHOLE = (Selection, Judgement, Decided)
"""Steps that need all rows at once."""


def clean(
    tables: Mapping[str, Table],
    columns: Columns,
    operators: Sequence[Operator],
    *,
    judge: Judge | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Cleaned:
    """Do the steps in order to every table.

    Args:
        tables: By split.
        columns: Which columns are texts and answers.
        operators: The steps.
        judge: Says which labels are probably wrong, for steps that ask.
        workers: Most processes for the steps that look at single rows; the result does not depend on it.
        progress: Told how far it is.

    Raises:
        UserError: A step does not fit the columns, a label is refused, or nothing is left.
    """
    roles = [checked_roles(operator, tables, columns) for operator in operators]
    done: _Done = {split: [] for split in tables}
    current = dict(tables)
    bar = _Bar(progress, len(operators) * sum(map(len, tables.values())))
    pairs = zip(operators, roles, strict=True)
    for whole, group in itertools.groupby(pairs, key=lambda pair: isinstance(pair[0], _WHOLE)):
        steps = tuple(group)
        if not whole:
            for split, table in current.items():
                current[split] = _stream(table, RowSteps(steps), workers, done[split], bar)
            continue
        for operator, _ in steps:
            bar.add(sum(map(len, current.values())))
            if isinstance(operator, Decided):
                current = _decide(current, operator, done)
            elif isinstance(operator, Judgement):
                current = _select(current, operator, operator.left_out(current, _judged(current, columns, judge)), done)
            elif isinstance(operator, Selection):
                current = _select(current, operator, operator.left_out(current, columns), done)
    bar.finish()
    return Cleaned(current, {split: tuple(steps) for split, steps in done.items()})


class _Bar:
    """Counts rows times steps."""

    def __init__(self, progress: Progress | None, whole: int) -> None:
        self._progress, self._whole, self._reached = progress, max(whole, 1), 0

    def add(self, rows: int) -> None:
        self._reached += rows
        if self._progress:
            self._progress(min(self._reached / self._whole, 1.0))

    def finish(self) -> None:
        if self._progress:
            self._progress(1.0)


def _stream(table: Table, work: RowSteps, workers: int, done: list[StepDone], bar: _Bar) -> Table:
    """Do steps that look at single rows to a table."""
    named = [[operator.name, operator.model_dump(mode="json")] for operator, _ in work.steps]
    key = key_of({"cleaned": table.fingerprint, "steps": named})
    tallies = [Tally() for _ in work.steps]
    processes = min(workers, len(table) // WORTH_A_PROCESS)
    with TableBuilder(table.source, key=key, on_bad_row="refuse") as builder:
        for piece in in_order(work, _pieces(table), processes):
            builder.add_batch(piece.rows, piece.row_ids.tolist())
            for tally, part in zip(tallies, piece.tallies, strict=True):
                tally.add(part)
            bar.add(piece.seen * len(work.steps))
        steps = [
            StepDone(operator.name, operator.options, tally)
            for (operator, _), tally in zip(work.steps, tallies, strict=True)
        ]
        done += steps
        _refuse_nothing(builder.rows, table, done)
        made = builder.finish()
    return replace(made, origin=table.origin, lineage=(*table.lineage, *map(_lineage, steps)))


def _pieces(table: Table) -> Iterator[Piece]:
    start = 0
    for rows in table.arrow_batches(BATCH_ROWS):
        yield Piece(rows, table.row_ids[start : start + rows.num_rows], table.source)
        start += rows.num_rows


def _lineage(step: StepDone) -> Step:
    rows = step.tally.rows_in
    return Step(f"clean:{step.name}", dict(step.options), rows, rows - len(step.tally.removed))


def _judged(tables: Mapping[str, Table], columns: Columns, judge: Judge | None) -> LabelErrors:
    """What the judge says.

    Raises:
        UserError: These labels cannot be judged.
    """
    found = None if judge is None else judge(tables, columns)
    if found is None:
        what = "wrong labels cannot be told apart here"
        raise UserError(what, where="step label-errors", fix="leave the step out")
    return found


def _decide(tables: Mapping[str, Table], operator: Decided, done: Mapping[str, list[StepDone]]) -> dict[str, Table]:
    """Do what a person has decided."""
    made: dict[str, Table] = {}
    for split, table in tables.items():
        made[split], applied = operator.done(table, split)
        changes = [Change(row, column, shown(before), shown(after)) for row, column, before, after in applied.changed]
        tally = Tally(len(table), len({change.row for change in changes}))
        tally.removed = dict.fromkeys(applied.dropped, "a person decided so")
        tally.add(Tally(samples=changes))
        done[split].append(StepDone(operator.name, operator.options, tally))
        _refuse_nothing(len(made[split]), table, done[split])
    return made


def _select(
    tables: Mapping[str, Table],
    operator: Operator,
    left_out: Mapping[str, Mapping[int, str]],
    done: Mapping[str, list[StepDone]],
) -> dict[str, Table]:
    """Leave out what a step that compares rows has chosen."""
    kept: dict[str, Table] = {}
    for split, table in tables.items():
        out = left_out.get(split, {})
        stays = np.ones(len(table), bool)
        stays[list(out)] = False
        removed = {int(table.row_ids[place]): reason for place, reason in sorted(out.items())}
        done[split].append(StepDone(operator.name, operator.options, Tally(len(table), 0, removed)))
        _refuse_nothing(int(stays.sum()), table, done[split])
        parameters = dict(operator.options)
        kept[split] = table.select(np.flatnonzero(stays), step=f"clean:{operator.name}", parameters=parameters)
    return kept


def _refuse_nothing(rows: int, table: Table, done: Sequence[StepDone]) -> None:
    """Refuse to go on without rows.

    Raises:
        UserError: There are none; names the step that left most of them out.
    """
    if rows:
        return
    worst = max(done, key=lambda step: len(step.tally.removed))
    reasons = sorted(set(worst.tally.removed.values()))[:3]
    raise UserError(
        f"no row is left: {worst.name} left out {len(worst.tally.removed):,} ({', '.join(reasons)})",
        where=table.source,
        fix=f"change the options of {worst.name}, or leave the step out",
    )
