"""``supertune check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import row_values


def check(
    data: options.Data,
    validation: options.Validation = None,
    test: options.Test = None,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    task: options.Task = None,
    model: options.Model = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    fail_on: Annotated[
        str, typer.Option("--fail-on", metavar="info|warning|error", help="Exit 3 at or above this severity.")
    ] = "warning",
    label_errors: Annotated[
        bool | None,
        typer.Option(
            "--label-errors/--no-label-errors",
            help="Ask an encoder which labels are probably wrong; default: up to 100,000 tokens.",
        ),
    ] = None,
    review: Annotated[
        Path | None,
        typer.Option("--review", help="File (.csv, .jsonl) for these labels, each with a place for your decision."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--report", help="Write what was found as an HTML page, with pictures and rows.")
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix", help="Folder for a copy in which is put right what needs no decision; it is checked then."
        ),
    ] = None,
    settings: options.Settings = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Look for what would make training or its scores wrong; exit 0 when clean, 3 when there are findings."""
    from supertune.config import Config
    from supertune.console import Console, print_json
    from supertune.recipes.check import check as run_check
    from supertune.recipes.check import parse_severity, reaches

    severity = parse_severity(fail_on)
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
            data__validation=validation,
            data__test=test,
            model__name=model,
        )
    )
    report = run_check(
        config, label_errors=label_errors, review=review, page=page, fix=fix, console=Console(quiet=quiet)
    )
    if json:
        print_json(report.as_dict())
    if reaches(report.findings, severity):
        raise typer.Exit(3)
