"""Options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from supertune.errors import UserError

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="File (CSV, TSV, JSON, JSONL, Parquet, XLSX), folder, database, or hub data set."
    ),
]
Text = Annotated[
    list[str] | None,
    typer.Option("--text", help="Text column; several (--text title --text body, or title,body) are joined."),
]
Label = Annotated[
    list[str] | None, typer.Option("--label", help="Label column; for regression columns of numbers, one or several.")
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="What is to be learned: classification, multilabel, regression, extractive-qa, tagging, "
        "extractive-summary, retrieval, rerank; or, written by a decoder: chat, summarization, translation, "
        "generative-qa, text.",
    ),
]
Pair = Annotated[
    bool | None,
    typer.Option("--pair/--no-pair", help="Two text columns are two texts to be compared; default: by their names."),
]
Validation = Annotated[str | None, typer.Option("--validation", help="File with the validation rows.")]
Test = Annotated[str | None, typer.Option("--test", help="File with the test rows.")]
Model = Annotated[
    str | None, typer.Option("--model", help="Registered name (supertune models), folder, GGUF file, or hub id.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of the split and of training.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any configuration key, e.g. train.epochs=5.")
]
Sheet = Annotated[str | None, typer.Option("--sheet", help="Sheet of a spreadsheet.")]
OnBadRow = Annotated[
    str | None, typer.Option("--on-bad-row", metavar="refuse|skip", help="What to do with malformed rows.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Where to write; must not exist or be empty.")]
File = Annotated[str | None, typer.Option("--file", help="File of rows, in any format that train reads.")]
Answers = Annotated[Path | None, typer.Option("--out", help="JSONL file to write; default: standard output.")]
Texts = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TEXT]...", help="Texts; none: from --file or standard input, one per line."),
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")]


def parse_bad_row(name: str | None) -> Literal["refuse", "skip"]:
    """What to do with malformed rows, by name; None for the default.

    Raises:
        UserError: There is no such choice.
    """
    if name is None or name == "refuse":
        return "refuse"
    if name == "skip":
        return "skip"
    raise UserError(f"{name!r} is not a choice", where="--on-bad-row", fix="use refuse or skip")


def values(**options: object) -> dict[str, object]:
    """The options that were given, under their configuration keys (``data__text`` is ``data.text``)."""
    return {name.replace("__", "."): value for name, value in options.items() if value is not None}


def row_values(
    data: str | None,
    *,
    text: list[str] | None,
    label: list[str] | None,
    pair: bool | None,
    task: str | None,
    sheet: str | None,
    on_bad_row: str | None,
    settings: list[str] | None,
    **more: object,
) -> dict[str, object]:
    """What every command says of its rows, under configuration keys, and any keys that ``--set`` names.

    Args:
        data: The source; None where a file that was read names it.
        text: As typed.
        label: As typed.
        pair: Whether two text columns are two texts.
        task: What is to be learned.
        sheet: Of a spreadsheet.
        on_bad_row: What becomes of malformed rows.
        settings: ``key=value``; stronger than the options.
        more: Further options of the command, as `values` takes them.

    Raises:
        UserError: One of the settings is none.
    """
    from supertune.config import parse_assignments

    given = values(
        data__source=data,
        data__text=split_columns(text),
        data__label=label_columns(label),
        data__pair=pair,
        data__sheet=sheet,
        data__on_bad_row=on_bad_row,
        task__name=task,
        **more,
    )
    return given | parse_assignments(settings or [])


def label_columns(label: list[str] | None) -> str | list[str] | None:
    """One label column by its name, several as a list."""
    return label[0] if label and len(label) == 1 else label or None


def split_columns(text: list[str] | None) -> list[str] | None:
    """``["title,body"]`` and ``["title", "body"]`` alike."""
    return [name for item in text for name in item.split(",") if name] if text else None
