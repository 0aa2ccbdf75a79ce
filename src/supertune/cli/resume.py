"""``supertune resume``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Go on with a run that was interrupted, from its newest whole checkpoint."""
    from supertune.console import Console, print_json
    from supertune.recipes.resume import resume as go_on

    finished = go_on(run, console=Console(quiet=quiet))
    if json:
        print_json(finished.summary())
