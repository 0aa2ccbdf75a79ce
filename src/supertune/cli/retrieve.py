"""``supertune retrieve``: what an index finds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options
from supertune.cli.options import parse_bad_row, split_columns


def retrieve(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Folder that supertune index made.")],
    texts: options.Texts = None,
    file: options.File = None,
    out: options.Answers = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Rows to find for each text.")] = 10,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="exact|approximate|bm25|hybrid",
            help="How to search; default: approximate where the index was made for it, else exact.",
        ),
    ] = None,
    reranker: Annotated[
        str | None,
        typer.Option("--reranker", metavar="RUN|MODEL", help="Reads the best of them and puts them in order."),
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=1, help="How many of them the reranker reads; default 50.")
    ] = None,
    text: options.Text = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Where the model is now, if not under the name it had.")
    ] = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find the texts of an index that answer a text, or each row of a file."""
    from supertune.cli.answers import check_asked, decoded_lines, give
    from supertune.console import Console, print_json
    from supertune.errors import UserError
    from supertune.recipes.predict import refuse_existing
    from supertune.recipes.reorder import USUAL_DEPTH
    from supertune.recipes.retrieve import check_method, open_index, readable_results, retrieve_file, retrieve_texts

    check_asked(texts, file, example=f'supertune retrieve {index} "a text"')
    refuse_existing(out)
    chosen = check_method(method)
    if depth is not None and reranker is None:
        raise UserError("nothing would read them", where="--depth", fix="name a model with --reranker, or leave it out")
    console = Console(quiet=quiet)
    opened = open_index(index, model=model, reranker=reranker, depth=depth or USUAL_DEPTH, where="--reranker")
    about = {"index": str(index), "method": chosen or opened.method, "reranker": reranker}
    if file is not None:
        rows = retrieve_file(
            opened,
            file,
            text=split_columns(text),
            count=count,
            method=chosen,
            on_bad_row=parse_bad_row(on_bad_row),
            sheet=sheet,
            console=console,
        )
    else:
        rows = retrieve_texts(opened, texts or decoded_lines(sys.stdin.buffer), count=count, method=chosen)
    if out is None and json:
        print_json({**about, "queries": list(rows)})
    elif out is None and texts:
        readable_results(rows, Console(results=True))
    else:
        give(rows, about, out=out, json=json, for_people=False, console=console, called="queries answered,")
