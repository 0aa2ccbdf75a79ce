"""``supertune zero-shot``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from supertune.cli import options
from supertune.cli.options import parse_bad_row, split_columns

if TYPE_CHECKING:
    from supertune.recipes.zero_shot import Labels


def zero_shot(
    texts: options.Texts = None,
    labels: Annotated[
        str,
        typer.Option(
            "--labels", metavar="LABELS", help="refund,delivery; or JSON or a YAML file: label → what it means."
        ),
    ] = "",
    file: options.File = None,
    text: options.Text = None,
    model: options.Model = None,
    template: Annotated[str, typer.Option("--template", help="A text with {} for what the label means.")] = "{}",
    out: options.Answers = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Label texts by what the labels mean, with a model that has learned from no row."""
    from supertune.cli.answers import check_asked, decoded_lines, give
    from supertune.console import Console
    from supertune.recipes.predict import refuse_existing
    from supertune.recipes.zero_shot import zero_shot_file, zero_shot_texts

    check_asked(texts, file, example='supertune zero-shot --labels refund,delivery "where is my parcel"')
    refuse_existing(out)
    given = parse_labels(labels)
    console = Console(quiet=quiet)
    if file is not None:
        rows = zero_shot_file(
            given,
            file,
            text=split_columns(text),
            model=model,
            template=template,
            on_bad_row=parse_bad_row(on_bad_row),
            sheet=sheet,
            console=console,
        )
    else:
        # All of standard input at once: the language of the texts decides the model.
        some = texts or list(decoded_lines(sys.stdin.buffer))
        rows = zero_shot_texts(given, some, model=model, template=template, console=console)
    give(rows, {"labels": list(given)}, out=out, json=json, for_people=bool(texts), console=console)


def decoded(content: bytes, where: str) -> str:
    """Content of a file as text.

    Raises:
        UserError: It is not UTF-8.
    """
    from supertune.errors import UserError

    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("is not UTF-8", where=where, fix="convert it, e.g. with iconv -f GB18030") from error


def parse_labels(text: str) -> Labels:
    """Labels as they were typed: names with commas between, or JSON or the path of a YAML or JSON file.

    Raises:
        UserError: They are none of these.
    """
    from supertune.config import parse_value
    from supertune.errors import UserError
    from supertune.files import explained

    where, content = "--labels", text.strip()
    if not content.startswith(("{", "[")):
        path = Path(content)
        if not content or path.suffix.lower() not in (".json", ".yaml", ".yml"):
            return [name.strip() for name in content.replace("，", ",").split(",") if name.strip()]
        where = content
        with explained(path):
            content = decoded(path.read_bytes(), where)
    value = parse_value(content, "what the labels mean", where=where)
    if not isinstance(value, dict | list):
        raise UserError(
            "is neither a list of labels nor what each of them means", where=where, fix="label: what it means"
        )
    return value
