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
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts; none: from --file or standard input, one per line."),
    ] = None,
    file: Annotated[str | None, typer.Option("--file", help="File of rows, in any format that train reads.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="JSONL file to write; default: standard output.")] = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Label texts with a trained model."""
    from supertune.console import Console, print_json
    from supertune.errors import UserError

    if file is not None and texts:
        raise UserError("texts and --file were both given", fix="give one of them")
    if file is None and not texts and sys.stdin.isatty():
        raise UserError("nothing to predict", fix=f'supertune predict {run} "a text", or --file rows.csv')
    from supertune.recipes.predict import predict_file, predict_lines, predict_texts, refuse_existing

    refuse_existing(out)
    console = Console(quiet=quiet)
    if file is not None:
        rows: Iterable[dict[str, object]] = predict_file(
            run, file, on_bad_row=parse_bad_row(on_bad_row), sheet=sheet, console=console
        )
    elif texts:
        rows = predict_texts(run, texts)
    else:
        rows = predict_lines(run, sys.stdin.buffer, console=console)
    if out is not None:
        from supertune.files import write_jsonl

        count = write_jsonl(out, rows)
        console.say(f"{count:,} predictions written to {out}")
        if json:
            print_json({"run": str(run), "rows": count, "out": str(out)})
    elif json:
        print_json({"run": str(run), "predictions": list(rows)})
    elif texts and sys.stdout.isatty():
        from supertune.recipes.predict import readable

        for row in rows:
            sys.stdout.write(readable(row) + "\n")
    else:
        import json as jsonlib

        for row in rows:
            sys.stdout.write(jsonlib.dumps(row, ensure_ascii=False) + "\n")


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
