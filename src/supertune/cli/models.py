"""``supertune models``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from supertune.cli import options
from supertune.errors import UserError


def models(
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="Labelled rows: what suits them, and what it would cost here."),
    ] = None,
    rows: Annotated[int | None, typer.Option("--rows", min=10, help="Without DATA: so many rows.")] = None,
    labels: Annotated[int, typer.Option("--labels", min=2, help="With --rows: different labels.")] = 2,
    language: Annotated[str, typer.Option("--language", help="With --rows: language of the texts, e.g. zh.")] = "en",
    words: Annotated[
        int, typer.Option("--words", min=1, help="With --rows: words per text; characters in Chinese.")
    ] = 20,
    task: Annotated[str, typer.Option("--task", help="What is to be learned.")] = "classification",
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List the pre-trained models; with rows, say which model and strategy suits them, and what it would cost here."""
    from supertune.console import Console, print_json

    if data is not None and rows is not None:
        raise UserError("rows are given and made up at once", where="--rows", fix="leave out DATA or --rows")
    if data is None and rows is None:
        _list(json)
        return
    from supertune.recipes.advise import Sample, advise

    given = ["--task", task, *(part for name in text or () for part in ("--text", name))]
    given += [part for name in label or () for part in ("--label", name)]
    given += [] if pair is None else ["--pair" if pair else "--no-pair"]
    advice = advise(
        data,
        Sample(rows or 0, labels, language, words, task),
        arguments=given,
        console=Console(quiet=quiet),
    )
    if json:
        print_json(advice.as_dict())
        return
    shown = Console(results=True)
    shown.table(
        ("model", "strategy", "time", "as little as", "as much as", "memory"),
        [
            (option.model, option.strategy, *map(_time, option.seconds), f"{option.peak_mb:,} MB")
            for option in advice.options
        ],
        right=(2, 3, 4, 5),
    )
    shown.say(f"\nbegin with {advice.model} and --strategy {advice.strategy}: {advice.why}")


def _time(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _list(json: bool) -> None:
    from supertune.console import Console, print_json
    from supertune.models import REGISTRY

    if json:
        print_json(
            {
                "models": [
                    {key: value for key, value in asdict(entry).items() if key != "provide"}
                    for entry in REGISTRY.values()
                ]
            }
        )
        return
    Console(results=True).table(
        ("name", "kind", "languages", "parameters", "licence", "when"),
        [
            (
                name,
                entry.kind,
                " ".join(entry.languages),
                f"{entry.parameters / 1e6:.0f} M",
                entry.license,
                entry.advice,
            )
            for name, entry in REGISTRY.items()
        ],
        right=(3,),
    )
