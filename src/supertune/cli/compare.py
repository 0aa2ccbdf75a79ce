"""``supertune compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN…", help="Run directories, two or more.")],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Metric to compare; repeat for several. None: the usual ones.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="JSONL file for the rows that are answered differently.")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare runs on their common test rows: how far apart, where, on which rows, and could it be luck."""
    from supertune.console import Console, print_json
    from supertune.recipes.compare import compare as run_compare

    console = Console(quiet=quiet) if json else Console(quiet=quiet, results=True)
    found = run_compare(runs, metrics=metric or (), out=out, console=console)
    if json:
        print_json(found.as_dict())
