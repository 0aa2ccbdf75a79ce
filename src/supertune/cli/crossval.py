"""``supertune crossval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import row_values


def crossval(
    data: Annotated[str, typer.Argument(metavar="DATA|CONFIG", help="Labelled rows, or a YAML configuration.")],
    folds: Annotated[int, typer.Option("--folds", min=2, help="Parts; each is asked about in turn.")] = 5,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="How often the rows are dealt anew.")] = 1,
    fold_column: Annotated[
        str | None, typer.Option("--fold-column", help="Column that says the fold of each row, instead.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write, or to go on with. None: runs/crossval-..., by rows and settings."),
    ] = None,
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep the run of every fold, with its model and report.")
    ] = False,
    model: options.Model = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Which parameters learn.")] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="Column whose equal values are never divided (a patient, an author).")
    ] = None,
    validation: options.Validation = None,
    seed: options.Seed = None,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    task: options.Task = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    settings: options.Settings = None,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", metavar="CHECK", help="Go on although this check found errors.")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train on all folds of the rows but one and ask about that one, in turn: a score that every row has a part in."""
    from supertune.config import Config, load_config
    from supertune.console import Console, print_json
    from supertune.recipes.crossval import CrossvalChoices
    from supertune.recipes.crossval import crossval as run_crossval

    described = data.lower().endswith((".yaml", ".yml"))
    config = (load_config(Path(data)) if described else Config()).with_values(
        row_values(
            None if described else data,
            text=text,
            label=label,
            pair=pair,
            task=task,
            sheet=sheet,
            on_bad_row=on_bad_row,
            settings=settings,
            data__group=group,
            data__validation=validation,
            data__allow=allow,
            data__split_seed=seed,
            train__seed=seed,
            model__name=model,
            strategy__name=strategy,
        )
    )
    choices = CrossvalChoices(folds, repeats, fold_column, keep_models)
    found = run_crossval(config, choices=choices, out=out, console=Console(quiet=quiet))
    if json:
        print_json(found.as_dict())
