"""``supertune inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import label_columns, split_columns, values


def inspect(
    data: options.Data,
    model: options.Model = None,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    task: options.Task = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many rows to show.")] = 5,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    settings: options.Settings = None,
    json: options.Json = False,
) -> None:
    """Show rows as the model will see them: as token pieces, with what is cut off marked."""
    from supertune.config import Config, parse_assignments
    from supertune.console import Console, print_json
    from supertune.recipes.inspect import inspect as run_inspect

    config = Config().with_values(
        values(
            data__source=data,
            data__text=split_columns(text),
            data__label=label_columns(label),
            data__pair=pair,
            task__name=task,
            data__sheet=sheet,
            data__on_bad_row=on_bad_row,
            model__name=model,
        )
        | parse_assignments(settings or [])
    )
    shown = run_inspect(config, rows=rows, console=Console())
    if json:
        print_json(shown.as_dict())
    else:
        shown.print()
