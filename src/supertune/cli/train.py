"""``supertune train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import label_columns, split_columns, values


def train(
    data: Annotated[str, typer.Argument(metavar="DATA|CONFIG", help="Labelled rows, or a YAML configuration.")],
    task: options.Task = None,
    model: options.Model = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Which parameters learn.")] = None,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    validation: options.Validation = None,
    test: options.Test = None,
    out: options.Out = None,
    seed: options.Seed = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Train so many times, and keep the best by validation.")
    ] = None,
    settings: options.Settings = None,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", metavar="CHECK", help="Go on although this check found errors.")
    ] = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    no_text: Annotated[bool, typer.Option("--no-text", help="Leave the texts out of report and predictions.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show columns, splits, gate, expected time and memory; train nothing.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fine-tune a model on labelled rows and say how good it is."""
    from supertune.config import Config, load_config, parse_assignments
    from supertune.console import Console, print_json

    config = load_config(Path(data)) if data.lower().endswith((".yaml", ".yml")) else Config()
    source = None if data.lower().endswith((".yaml", ".yml")) else data
    config = config.with_values(
        values(
            data__source=source,
            data__validation=validation,
            data__test=test,
            data__text=split_columns(text),
            data__label=label_columns(label),
            data__pair=pair,
            data__sheet=sheet,
            data__on_bad_row=on_bad_row,
            data__allow=allow,
            data__split_seed=seed,
            model__name=model,
            task__name=task,
            strategy__name=strategy,
            train__seed=seed,
            train__seeds=seeds,
            evaluate__text=False if no_text else None,
        )
        | parse_assignments(settings or [])
    )
    console = Console(quiet=quiet)
    if dry_run:
        from supertune.recipes.estimate import dry_run as estimate

        plan = estimate(config, console=console)
        if json:
            print_json(plan.as_dict())
        return
    from supertune.recipes.fit import fit

    run = fit(config, out=out, console=console)
    if json:
        print_json(run.summary())
