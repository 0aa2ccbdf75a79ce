"""``supertune merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options


def merge(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory with an adapter.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the whole model to; it must not exist.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Put an adapter into the weights of its base model: a whole model, as quick as the base."""
    from supertune.console import Console, print_json
    from supertune.recipes.merge import merge_run

    merged = merge_run(run, out, console=Console(quiet=quiet))
    if json:
        print_json(merged)
