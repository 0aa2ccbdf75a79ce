"""``supertune runs`` and ``supertune show``: what has been trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options


def runs(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Folder that holds runs.")] = Path("runs"),
    json: options.Json = False,
) -> None:
    """List the runs in a folder, the newest first."""
    from supertune.console import Console, print_json
    from supertune.recipes.show import list_runs

    listing = list_runs(folder)
    if json:
        print_json(listing.as_dict())
    else:
        listing.print(Console(results=True))


def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show how training goes, live, until it ends; leave with Ctrl-C.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Show one run: how good it is, on which data, and whether its files are as they were written."""
    from supertune.console import Console, print_json
    from supertune.recipes.show import show_run

    if watch:
        from supertune.recipes.watch import watch_run

        # With --json the one object comes at the end, and what is watched goes to standard error.
        if not watch_run(run, Console(results=not json)) and not json:
            return
    shown = show_run(run)
    if json:
        print_json(shown.as_dict())
    else:
        shown.print(Console(results=True))
