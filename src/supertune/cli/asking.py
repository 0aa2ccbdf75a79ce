"""Options of commands that ask a model for new texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supertune.errors import UserError

if TYPE_CHECKING:
    from supertune.recipes.writers import WriterChoices

Writer = Annotated[
    str | None,
    typer.Option(
        "--writer",
        metavar="URL|MODEL",
        help="Who is asked: an OpenAI-compatible endpoint (http://localhost:8000/v1), or a run, folder or model here.",
    ),
]
WriterBack = Annotated[
    str | None,
    typer.Option("--writer-back", metavar="MODEL", help="Back-translation by two models here: the one that goes back."),
]
WriterModel = Annotated[str | None, typer.Option("--writer-model", help="The model's name at the endpoint.")]
WriterKey = Annotated[
    str | None,
    typer.Option(
        "--writer-key",
        metavar="VARIABLE",
        help="Environment variable with the endpoint's key; default: SUPERTUNE_WRITER_KEY. Never the key itself.",
    ),
]
WriterTemperature = Annotated[
    float | None, typer.Option("--writer-temperature", help="0 for the likeliest answer; default: 0.7.")
]
WriterTokens = Annotated[
    int | None, typer.Option("--writer-tokens", metavar="N", help="Most tokens of an answer; default: 1024.")
]
WriterBody = Annotated[
    str | None,
    typer.Option("--writer-body", metavar="JSON", help="More fields of each request: '{\"top_k\": 20}'; null: none."),
]
WriterAtOnce = Annotated[int | None, typer.Option("--writer-at-once", metavar="N", help="Requests side by side: 4.")]
BudgetRequests = Annotated[
    int | None, typer.Option("--budget-requests", metavar="N", help="Most requests, repeated ones among them.")
]
BudgetTokens = Annotated[
    int | None, typer.Option("--budget-tokens", metavar="N", help="Most tokens, read and written together.")
]
BudgetMoney = Annotated[
    float | None, typer.Option("--budget-money", metavar="X", help="Most money, in the currency of --prices.")
]
PricesOfTokens = Annotated[
    str | None,
    typer.Option("--prices", metavar="READ,WRITTEN", help="What a million tokens cost, read and written: 0.15,0.60."),
]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="FILE", help="Where answers are kept; default: a file in supertune's cache."),
]
SendPersonalData = Annotated[
    bool, typer.Option("--send-personal-data", help="Send rows with personal data to another machine all the same.")
]


def writer_choices(
    writer: str | None,
    *,
    back: str | None = None,
    model: str | None = None,
    key: str | None = None,
    temperature: float | None = None,
    tokens: int | None = None,
    body: str | None = None,
    at_once: int | None = None,
    requests: int | None = None,
    budget_tokens: int | None = None,
    money: float | None = None,
    prices: str | None = None,
    cache: Path | None = None,
    personal_data: bool = False,
) -> WriterChoices | None:
    """Who is asked and how, from the options; None where nobody is.

    Raises:
        UserError: An option means nothing, as all do without somebody to ask.
    """
    if writer is None:
        given = {
            "--writer-back": back,
            "--writer-model": model,
            "--writer-key": key,
            "--writer-temperature": temperature,
            "--writer-tokens": tokens,
            "--writer-body": body,
            "--writer-at-once": at_once,
            "--budget-requests": requests,
            "--budget-tokens": budget_tokens,
            "--budget-money": money,
            "--prices": prices,
            "--cache": cache,
            "--send-personal-data": personal_data or None,
        }
        named = [name for name, value in given.items() if value is not None]
        if named:
            what = "means nothing where nobody is asked"
            raise UserError(what, where=", ".join(named), fix="name who is asked with --writer, or leave it out")
        return None
    from supertune.generate import Limits
    from supertune.recipes.writers import MAX_NEW_TOKENS, TEMPERATURE, WriterChoices

    return WriterChoices(
        writer=writer,
        back=back,
        model=model,
        key_variable=_variable(key),
        temperature=TEMPERATURE if temperature is None else temperature,
        max_new_tokens=MAX_NEW_TOKENS if tokens is None else tokens,
        body=_object(body),
        at_once=4 if at_once is None else at_once,
        limits=Limits(requests, budget_tokens, money, _prices(prices)),
        cache=cache,
        personal_data=personal_data,
    )


def _variable(name: str | None) -> str | None:
    if name is not None and not (name.isascii() and name.isidentifier()):
        # Not shown: it may be the key.
        raise UserError(
            "this is no name of an environment variable",
            where="--writer-key",
            fix="put the key into a variable (export MY_KEY=…) and name that: --writer-key MY_KEY",
        )
    return name


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise UserError(
            f"is not valid JSON ({error})", where="--writer-body", fix='write it as {"top_k": 20}'
        ) from error
    if not isinstance(found, dict):
        raise UserError("is no JSON object", where="--writer-body", fix='write it as {"top_k": 20}')
    return found


def _prices(text: str | None) -> Any:
    from supertune.generate import Prices

    if text is None:
        return None
    try:
        prompt, new = map(float, text.split(","))
    except ValueError as error:
        raise UserError(f"{text!r} are no two prices", where="--prices", fix="write them as 0.15,0.60") from error
    return Prices(prompt, new)
