"""``supertune split``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import row_values


def split(
    data: options.Data,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write; must not exist or be empty. None: only tell the sizes."),
    ] = None,
    validation_size: Annotated[float, typer.Option("--validation-size", help="A share (0.1) or rows (500).")] = 0.1,
    test_size: Annotated[float, typer.Option("--test-size", help="A share (0.1) or rows (500).")] = 0.1,
    time: Annotated[
        str | None, typer.Option("--time", help="Column of times: the oldest rows are learned from, the newest tested.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="Column whose equal values are never divided (a patient, an author).")
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", help="Instead of splits: a column with the fold of each row, of so many.")
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="How often the folds are dealt, a column each.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Chooses the rows.")] = 0,
    file_format: Annotated[str, typer.Option("--format", metavar="jsonl|parquet|csv", help="Format of the rows.")] = (
        "jsonl"
    ),
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    task: options.Task = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    settings: options.Settings = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Divide rows into train, validation and test once: by label, without parting what belongs together, or by time."""
    from supertune.config import Config
    from supertune.console import Console, print_json
    from supertune.recipes.split import SplitChoices
    from supertune.recipes.split import split as run_split

    config = Config().with_values(
        row_values(
            data,
            text=text,
            label=label,
            pair=pair,
            task=task,
            sheet=sheet,
            on_bad_row=on_bad_row,
            settings=settings,
            data__group=group,
        )
    )
    choices = SplitChoices(validation_size, test_size, time, seed, folds, repeats)
    made = run_split(config, choices=choices, out=out, wanted=file_format, console=Console(quiet=quiet))
    if json:
        print_json(made.as_dict())
