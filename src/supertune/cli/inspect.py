"""``supertune inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import row_values


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
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page to look at in a browser instead; must not exist.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Show rows as the model will see them: which tokens carry loss, and what is cut off or left out."""
    from supertune.config import Config
    from supertune.console import Console, print_json
    from supertune.errors import UserError
    from supertune.files import write_text
    from supertune.recipes.inspect import inspect as run_inspect

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
            model__name=model,
        )
    )
    console = Console()
    if html is not None and (html.exists() or html.is_symlink()):
        raise UserError("exists already", where=str(html), fix="name a new file with --html")
    shown = run_inspect(config, rows=rows, console=console)
    if html is not None:
        write_text(html, shown.html())
        console.say(f"  {html}: {shown.summary}")
    if json:
        print_json(shown.as_dict())
    elif html is None:
        shown.print()
