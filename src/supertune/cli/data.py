"""``supertune data log`` and ``supertune data diff``."""

from __future__ import annotations

from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import split_columns

app = typer.Typer(no_args_is_help=True, help="What was done to rows, and how two sets of rows differ.")


@app.command("log")
def log(data: options.Data, json: options.Json = False, quiet: options.Quiet = False) -> None:
    """Show every step by which rows came to be what they are."""
    from supertune.console import Console, print_json
    from supertune.recipes.data_versions import log as run_log

    history = run_log(data, console=Console(quiet=quiet, results=not json))
    if json:
        print_json(history.as_dict())


@app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="Rows in any format that train reads.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Other rows.")],
    text: options.Text = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show which rows came, went or changed; rows are known again by their text."""
    from supertune.console import Console, print_json
    from supertune.recipes.data_versions import as_dict
    from supertune.recipes.data_versions import diff as run_diff

    found = run_diff(before, after, text=split_columns(text), console=Console(quiet=quiet, results=not json))
    if json:
        print_json(as_dict(found))
