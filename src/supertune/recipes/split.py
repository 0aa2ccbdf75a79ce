"""Rows divided into files once, so that everybody trains and tests on the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import (
    NO_FOLD,
    Cleaned,
    Table,
    check_format,
    file_of,
    make_folds,
    parse_format,
    shares_of,
    split_by_time,
    split_table,
    write_prepared,
)
from supertune.errors import UserError
from supertune.files import atomic_folder
from supertune.recipes.prepared_folder import refuse_existing_folder, refuse_several_sources
from supertune.recipes.rows import find_columns, read_given
from supertune.runs import free_name, versions


@dataclass(frozen=True)
class SplitChoices:
    """How to divide.

    Attributes:
        validation: Share or number of rows.
        test: Share or number of rows.
        time: Column of times: the oldest rows are learned from, the newest are asked about.
        seed: Chooses the rows, where time does not.
        folds: Instead: how many folds each row is dealt into one of, written in a column.
        repeats: How often they are dealt, each time into a column of its own.
    """

    validation: float = 0.1
    test: float = 0.1
    time: str | None = None
    seed: int = 0
    folds: int | None = None
    repeats: int = 1


@dataclass(frozen=True)
class Divided:
    """What came of it.

    Attributes:
        tables: Split → rows.
        out: The folder that was written; None if none was asked for.
    """

    tables: dict[str, Table]
    out: Path | None

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``split --json``."""
        return {
            "out": str(self.out) if self.out else None,
            "splits": {split: {"rows": len(table)} for split, table in self.tables.items()},
        }


def split(
    config: Config,
    data: object = None,
    *,
    choices: SplitChoices,
    out: Path | None,
    wanted: str = "jsonl",
    console: Console,
) -> Divided:
    """Divide rows by label, with what belongs together in one split, or by time; and write a file for each split.

    Raises:
        UserError: The rows cannot be read, cannot be divided so, or ``out`` is there already.
    """
    form = parse_format(wanted)
    refuse_existing_folder(out)
    refuse_several_sources(config)
    if choices.time is not None and config.data.group is not None:
        what = "rows of one group may be old and new: by time and by group at once cannot be had"
        raise UserError(what, where="--time, --group", fix="choose one of them")
    if choices.repeats != 1 and choices.folds is None:
        raise UserError("there are no folds to repeat", where="--repeats", fix="name how many: --folds 5")
    console.heading("Data")
    tables = read_given(config, data, console)
    if set(tables) != {"all"}:
        what = f"is divided already: {', '.join(tables)}"
        raise UserError(what, where=str(config.data.source), fix="name one of its files")
    table = tables["all"]
    check_format(table, form)
    columns = find_columns(config, tables, console)
    if choices.folds is not None:
        divided = {"all": _with_folds(table, columns, config, choices, console)}
    else:
        divided = _divided(table, columns, config, choices, console)
    if out is not None:
        whole = dict.fromkeys(divided, table)
        with atomic_folder(out) as folder:
            made = Cleaned(divided, dict.fromkeys(divided, ()))
            write_prepared(folder, whole, made, recipe=None, wanted=form, about={"versions": versions()})
        console.say(f"  {out}: {', '.join(file_of(name, form) for name in divided)}")
    return Divided(divided, out)


def _divided(
    table: Table, columns: Columns, config: Config, choices: SplitChoices, console: Console
) -> dict[str, Table]:
    """Split → its rows."""
    shares = shares_of(len(table), choices.validation, choices.test)
    if choices.time is not None:
        divided = split_by_time(table, choices.time, shares)
    else:
        near = not config.data.split_near_duplicates
        divided = split_table(table, columns, fractions=shares, seed=choices.seed, near_duplicates=near)
    console.heading("Splits")
    rows = [[name, f"{len(part):,}", f"{len(part) / len(table):.1%}"] for name, part in divided.items()]
    console.table(["split", "rows", "share"], rows, right=(1, 2))
    return divided


def _with_folds(table: Table, columns: Columns, config: Config, choices: SplitChoices, console: Console) -> Table:
    """The rows with a column that says the fold of each, or one for every repetition; none for rows made of others."""
    if choices.time is not None:
        raise UserError("folds are not of time", where="--time, --folds", fix="choose one of them")
    folds = make_folds(
        table,
        columns,
        folds=choices.folds or 0,
        repeats=choices.repeats,
        seed=choices.seed,
        near_duplicates=not config.data.split_near_duplicates,
    )
    console.heading("Folds")
    counted = [np.bincount(numbers[numbers != NO_FOLD], minlength=folds.count) for numbers in folds.numbers]
    shown = [[str(fold), *(f"{counts[fold]:,}" for counts in counted)] for fold in range(folds.count)]
    if count := int(folds.unasked.max()):
        console.warn(f"{count:,} rows have a label of very few rows: they are in no fold, to be learned from alone")
    names = ["fold"] if folds.repeats == 1 else [f"fold_{repeat}" for repeat in range(folds.repeats)]
    names = [free_name(name, table.column_names) for name in names]
    console.table(["fold", *names], shown, right=tuple(range(len(names) + 1)))
    for name, numbers in zip(names, folds.numbers, strict=True):
        table = table.with_column(
            name, [None if number == NO_FOLD else int(number) for number in numbers], step="folds"
        )
    return table
