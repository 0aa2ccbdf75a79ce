"""``supertune predict`` and ``supertune evaluate``: what a trained model says, and how often it is right."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import parse_bad_row

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")]


def predict(
    run: RunFolder,
    texts: options.Texts = None,
    file: options.File = None,
    out: options.Answers = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Label texts with a trained model."""
    from supertune.cli.answers import check_asked, decoded_lines, give
    from supertune.console import Console
    from supertune.recipes.predict import predict_file, predict_lines, predict_typed, refuse_existing

    check_asked(texts, file, example=f'supertune predict {run} "a text"')
    refuse_existing(out)
    console = Console(quiet=quiet)
    if file is not None:
        rows: Iterable[dict[str, object]] = predict_file(
            run, file, on_bad_row=parse_bad_row(on_bad_row), sheet=sheet, console=console
        )
    elif texts:
        rows = predict_typed(run, texts)
    else:
        rows = predict_lines(run, decoded_lines(sys.stdin.buffer))
    give(rows, {"run": str(run)}, out=out, json=json, for_people=bool(texts), console=console)


def evaluate(
    run: RunFolder,
    data: options.Data,
    out: Annotated[Path | None, typer.Option("--out", help="JSONL file for the predictions.")] = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Score a trained model on labelled rows."""
    from supertune.console import Console, print_json
    from supertune.recipes.predict import evaluate_file

    summary = evaluate_file(
        run, data, out=out, on_bad_row=parse_bad_row(on_bad_row), sheet=sheet, console=Console(quiet=quiet)
    )
    if json:
        print_json(summary)
