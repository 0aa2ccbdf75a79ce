"""``supertune predict`` and ``supertune evaluate``: what a trained model says, and how often it is right."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options, writing
from supertune.cli.options import parse_bad_row

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")]
Clean = Annotated[
    bool,
    typer.Option("--clean/--no-clean", help="Clean texts as those were that the model learned from, if they were."),
]


def predict(
    run: RunFolder,
    texts: options.Texts = None,
    file: options.File = None,
    out: options.Answers = None,
    max_new_tokens: writing.MaxNewTokens = None,
    temperature: writing.Temperature = None,
    top_p: writing.TopP = None,
    top_k: writing.TopK = None,
    repetition_penalty: writing.Penalty = None,
    beams: writing.Beams = None,
    seed: writing.DrawSeed = None,
    system: writing.System = None,
    clean: Clean = True,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Label texts with a trained model, or have it write what it was trained to."""
    from supertune.cli.answers import check_asked, give, lines_together
    from supertune.console import Console
    from supertune.recipes.predict import predict_file, predict_lines, predict_typed, refuse_existing
    from supertune.recipes.writing_choices import WritingChoices

    check_asked(texts, file, example=f'supertune predict {run} "a text"')
    refuse_existing(out)
    console = Console(quiet=quiet)
    choices = WritingChoices(max_new_tokens, temperature, top_p, top_k, repetition_penalty, beams, seed, system)
    if file is not None:
        bad = parse_bad_row(on_bad_row)
        rows: Iterable[dict[str, object]] = predict_file(
            run, file, choices=choices, clean=clean, on_bad_row=bad, sheet=sheet, console=console
        )
    elif texts:
        rows = predict_typed(run, texts, choices, clean=clean)
    else:
        rows = predict_lines(run, lines_together(sys.stdin.buffer), choices, clean=clean)
    give(rows, {"run": str(run)}, out=out, json=json, for_people=bool(texts), console=console)


def evaluate(
    run: RunFolder,
    data: options.Data,
    out: Annotated[Path | None, typer.Option("--out", help="JSONL file for the predictions.")] = None,
    generate: writing.Generate = None,
    clean: Clean = True,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Score a trained model on labelled rows."""
    from supertune.console import Console, print_json
    from supertune.recipes.predict import evaluate_file

    summary = evaluate_file(
        run,
        data,
        out=out,
        generate=writing.parse_generate(generate),
        clean=clean,
        on_bad_row=parse_bad_row(on_bad_row),
        sheet=sheet,
        console=Console(quiet=quiet),
    )
    if json:
        print_json(summary)
