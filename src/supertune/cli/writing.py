"""Options of commands that have a model write."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from supertune.errors import UserError

MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", metavar="N", help="What is written: tokens at most; default: as in training."),
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", help="What is written: 0, the default, is always the likeliest; above 0 is drawn."),
]
TopP = Annotated[
    float | None, typer.Option("--top-p", help="Draw from the likeliest tokens that have this probability together.")
]
TopK = Annotated[int | None, typer.Option("--top-k", metavar="N", help="Draw from so many of the likeliest tokens.")]
Penalty = Annotated[
    float | None, typer.Option("--repetition-penalty", help="Above 1: what was said already becomes less likely.")
]
Beams = Annotated[
    int | None, typer.Option("--beams", metavar="N", help="Follow so many texts side by side, and give the likeliest.")
]
DrawSeed = Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of what is drawn.")]
System = Annotated[
    str | None,
    typer.Option("--system", help='System message where there is no other; "" for none, where training had one.'),
]
Generate = Annotated[
    str | None,
    typer.Option("--generate", metavar="N|all", help="Of models that write: rows to write; default: as in training."),
]


def parse_generate(text: str | None) -> int | Literal["all"] | None:
    """A number of rows, or all of them.

    Raises:
        UserError: It is neither.
    """
    if text is None:
        return None
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit():
        return int(text)
    raise UserError(f"{text!r} is no number of rows", where="--generate", fix="give a whole number, 0 for none, or all")
