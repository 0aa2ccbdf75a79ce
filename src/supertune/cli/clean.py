"""``supertune clean``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import row_values


def clean(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA|PREPARATION", help="Rows in any format that train reads, or a preparation.yaml."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write; must not exist or be empty. None: only tell what would be done."),
    ] = None,
    step: Annotated[
        list[str] | None,
        typer.Option("--step", help="A step, by name or with options: --step html --step 'length: {least: 3}'."),
    ] = None,
    file_format: Annotated[str, typer.Option("--format", metavar="jsonl|parquet|csv", help="Format of the rows.")] = (
        "jsonl"
    ),
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes; the result is the same.")] = 1,
    validation: options.Validation = None,
    test: options.Test = None,
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
    """Repair, tidy and thin out rows, step by step; what was changed and what went is written beside them."""
    from dataclasses import replace

    from supertune.config import Config, Preparation, load_preparation, parse_steps
    from supertune.console import Console, print_json
    from supertune.recipes.clean import clean as run_clean

    written = Path(data).suffix.lower() in (".yaml", ".yml")
    preparation = load_preparation(Path(data)) if written else Preparation(Config())
    config = preparation.config.with_values(
        row_values(
            None if written else data,
            text=text,
            label=label,
            pair=pair,
            task=task,
            sheet=sheet,
            on_bad_row=on_bad_row,
            settings=settings,
            data__validation=validation,
            data__test=test,
        )
    )
    preparation = replace(preparation, config=config)
    if step:
        preparation = replace(preparation, steps=parse_steps(step))
    made = run_clean(preparation, out=out, wanted=file_format, workers=workers, console=Console(quiet=quiet))
    if json:
        print_json(made.as_dict())
