"""Rows divided into files once, so that everybody trains and tests on the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.config import Config
from supertune.console import Console
from supertune.data import (
    Cleaned,
    Table,
    check_format,
    file_of,
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
from supertune.runs import versions


@dataclass(frozen=True)
class SplitChoices:
    """How to divide.

    Attributes:
        validation: Share or number of rows.
        test: Share or number of rows.
        time: Column of times: the oldest rows are learned from, the newest are asked about.
        seed: Chooses the rows, where time does not.
    """

    validation: float = 0.1
    test: float = 0.1
    time: str | None = None
    seed: int = 0


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
    console.heading("Data")
    tables = read_given(config, data, console)
    if set(tables) != {"all"}:
        what = f"is divided already: {', '.join(tables)}"
        raise UserError(what, where=str(config.data.source), fix="name one of its files")
    table = tables["all"]
    check_format(table, form)
    columns = find_columns(config, tables, console)
    shares = shares_of(len(table), choices.validation, choices.test)
    if choices.time is not None:
        divided = split_by_time(table, choices.time, shares)
    else:
        near = config.data.split_near_duplicates
        divided = split_table(table, columns, fractions=shares, seed=choices.seed, near_duplicates=near)
    console.heading("Splits")
    rows = [[name, f"{len(part):,}", f"{len(part) / len(table):.1%}"] for name, part in divided.items()]
    console.table(["split", "rows", "share"], rows, right=(1, 2))
    if out is not None:
        whole = dict.fromkeys(divided, table)
        with atomic_folder(out) as folder:
            made = Cleaned(divided, dict.fromkeys(divided, ()))
            write_prepared(folder, whole, made, recipe=None, wanted=form, about={"versions": versions()})
        console.say(f"  {out}: {', '.join(file_of(name, form) for name in divided)}")
    return Divided(divided, out)
