"""``supertune demo``."""

from __future__ import annotations

from typing import Annotated

import typer

from supertune.cli import options


def demo(
    lang: Annotated[str, typer.Option("--lang", metavar="en|zh", help="Language of the example.")] = "en",
    out: options.Out = None,
    seed: options.Seed = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train on the support tickets that come with supertune, end to end, without a network."""
    from supertune.console import Console, print_json
    from supertune.recipes.demo import demo as run_demo

    run = run_demo(lang, out=out, seed=seed, console=Console(quiet=quiet))
    if json:
        print_json(run.summary())
