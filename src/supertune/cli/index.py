"""``supertune index``: texts made ready to be found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import parse_bad_row, split_columns


def index(
    data: options.Data,
    out: Annotated[Path, typer.Option("--out", help="Folder to make; an interrupted command goes on there.")],
    text: options.Text = None,
    model: Annotated[str | None, typer.Option("--model", help="Registered name, folder, hub id, or run.")] = None,
    storage: Annotated[
        str, typer.Option("--storage", metavar="float32|float16|int8|binary", help="How vectors are kept.")
    ] = "float32",
    dimensions: Annotated[
        int | None,
        typer.Option("--dimensions", min=1, help="Numbers of a vector to search by; for models trained for it."),
    ] = None,
    rescore: Annotated[
        str,
        typer.Option(
            "--rescore",
            metavar="auto|none|float32|float16|int8",
            help="Vectors by which the best are scored again; auto: int8 beside binary.",
        ),
    ] = "auto",
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Make a graph for approximate search too (extra: index).")
    ] = False,
    recall: Annotated[
        float, typer.Option("--recall", help="Share of the ten nearest that approximate search is to find.")
    ] = 0.98,
    split: Annotated[
        bool, typer.Option("--split", help="Cut texts too long for the model into overlapping windows of sentences.")
    ] = False,
    max_length: Annotated[int | None, typer.Option("--max-length", min=8, help="Tokens of a text to read.")] = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make texts ready to be found, by their meaning and by their words."""
    from supertune.console import Console, print_json
    from supertune.recipes.index import IndexChoices, make_index

    summary = make_index(
        data,
        out=out,
        model=model,
        text=split_columns(text),
        choices=IndexChoices(storage, dimensions, rescore, approximate, recall, split),
        max_length=max_length,
        on_bad_row=parse_bad_row(on_bad_row),
        sheet=sheet,
        console=Console(quiet=quiet),
    )
    if json:
        print_json(summary)
