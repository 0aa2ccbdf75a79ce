"""Who is asked for new texts: an endpoint or a local model, with what it answered before kept in a file."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supertune.console import Console
from supertune.contracts import Columns, TextWriter
from supertune.data import Table
from supertune.data.pii import KINDS, find_pii
from supertune.errors import UserError
from supertune.files import cache_folder
from supertune.generate import AnswerCache, EndpointSettings, EndpointWriter, KeptWriter, Limits
from supertune.language import join_fields
from supertune.recipes.local_writer import LocalWriter, TwoWriters

TEMPERATURE = 0.7
MAX_NEW_TOKENS = 1024


@dataclass(frozen=True)
class WriterChoices:
    """Who is to be asked, and how.

    Attributes:
        writer: The address of an endpoint, or a local model by run, folder, name or hub id.
        back: Another local model, which translates back.
        model: The model's name at the endpoint.
        key_variable: Environment variable with the endpoint's key.
        temperature: Of the draw.
        max_new_tokens: Most tokens of an answer.
        body: More fields of requests to the endpoint, see `EndpointSettings`.
        send_seed: Send seeds to the endpoint.
        at_once: Requests side by side.
        seconds: Longest wait for an answer of the endpoint.
        limits: What may be spent there.
        cache: File with what was answered before; None for the usual one.
        personal_data: Send rows that hold personal data elsewhere all the same.
    """

    writer: str
    back: str | None = None
    model: str | None = None
    key_variable: str | None = None
    temperature: float = TEMPERATURE
    max_new_tokens: int = MAX_NEW_TOKENS
    body: Mapping[str, Any] = field(default_factory=dict)
    send_seed: bool = False
    at_once: int = 4
    seconds: float = 120.0
    limits: Limits = field(default_factory=Limits)
    cache: Path | None = None
    personal_data: bool = False

    @property
    def is_address(self) -> bool:
        """Whether an endpoint is asked."""
        return "://" in self.writer


@dataclass(frozen=True)
class OpenedWriter:
    """Somebody who can be asked.

    Attributes:
        writer: Who, with what was answered before.
        where: What they are called in messages.
        endpoint: The endpoint behind it, if it is one.
    """

    writer: TextWriter
    where: str
    endpoint: EndpointWriter | None

    def spent(self) -> str:
        """What was spent so far, in a few words; nothing for local models."""
        if self.endpoint is None:
            return ""
        repeated = f", {self.endpoint.retries:,} repeated" if self.endpoint.retries else ""
        return self.endpoint.budget.told() + repeated

    def as_dict(self) -> dict[str, object]:
        """Who was asked and what was spent, as JSON; no key is in it."""
        spent = {} if self.endpoint is None else {"spent": dict(self.endpoint.budget.as_dict())}
        return {"writer": dict(self.writer.identity), **spent}


@contextlib.contextmanager
def opened_writer(choices: WriterChoices, console: Console) -> Iterator[OpenedWriter]:
    """Open who is to be asked; what was answered before is not asked again.

    Raises:
        UserError: The address, model or a choice is wrong, or the file of answers cannot be used.
    """
    endpoint: EndpointWriter | None = None
    asked: TextWriter
    if choices.is_address:
        _refuse_unbounded(choices)
        endpoint = EndpointWriter(_settings(choices), choices.limits)
        asked, where = endpoint, f"{endpoint.settings.shown} ({endpoint.settings.model})"
        # A key that is missing is told before anything is read.
        key = endpoint.settings.key
        if key and not endpoint.local and endpoint.settings.url.startswith("http://"):
            console.warn(f"{where} is not encrypted: texts and the key can be read on the way (use https)")
    else:
        _refuse_for_local(choices)
        here = LocalWriter(choices.writer, temperature=choices.temperature, max_new_tokens=choices.max_new_tokens)
        asked, where = here, choices.writer
        if choices.back is not None:
            back = LocalWriter(choices.back, temperature=choices.temperature, max_new_tokens=choices.max_new_tokens)
            asked, where = TwoWriters(here, back), f"{choices.writer}, {choices.back}"
    with AnswerCache(choices.cache or usual_cache()) as cache:
        yield OpenedWriter(KeptWriter(asked, cache), where, endpoint)


def _refuse_unbounded(choices: WriterChoices) -> None:
    """Refuse a budget that nothing holds: without a bound on answers none can be reserved for them.

    Raises:
        UserError: A limit of tokens or money is wanted, and requests name no most tokens.
    """
    body, limits = choices.body, choices.limits
    unbounded = "max_tokens" in body and not any(
        isinstance(body.get(name), int) for name in ("max_tokens", "max_completion_tokens")
    )
    if unbounded and (limits.tokens is not None or limits.money is not None):
        raise UserError(
            "answers without a most number of tokens fit into no budget of tokens or money",
            where="--writer-body",
            fix='name the other field: {"max_tokens": null, "max_completion_tokens": 1024}',
        )


def usual_cache() -> Path:
    """The file with what was answered before, unless another is named."""
    return cache_folder() / "answers" / "answers.sqlite"


def text_columns(table: Table, columns: Columns) -> tuple[str, ...]:
    """The columns whose texts may be sent."""
    return tuple(name for name in columns.text if name in table.column_names)


def refuse_personal_data(opened: OpenedWriter, table: Table, texts: tuple[str, ...], allowed: bool) -> None:
    """Refuse to send rows with personal data to another machine.

    Args:
        opened: Who is to be asked.
        table: The rows that are sent.
        texts: Their columns with texts.
        allowed: The user wants them sent.

    Raises:
        UserError: Rows hold personal data, they would leave this machine, and that was not allowed.
    """
    if opened.writer.local or allowed:
        return
    counts: Counter[str] = Counter()
    rows, first = 0, -1
    numbers = iter(table.row_ids.tolist())
    for batch in table.batches(columns=texts):
        for values in zip(*(batch[name] for name in texts), strict=True):
            number = next(numbers)
            found = find_pii(join_fields(values))
            counts.update(span.kind for span in found)
            if found:
                first = number if first < 0 else first
                rows += 1
    if not rows:
        return
    told = ", ".join(
        f"{count:,} {KINDS[kind].one if count == 1 else KINDS[kind].several}" for kind, count in counts.most_common(3)
    )
    what = "1 row holds" if rows == 1 else f"{rows:,} rows hold"
    raise UserError(
        f"{what} what looks like personal data ({told}; the first is row {first}), and would be sent to {opened.where}",
        where=table.source,
        fix="mask it first: supertune clean DATA --step pii --out cleaned; or ask a model on this machine; or send it "
        "all the same with --send-personal-data. Names and postal addresses are not found",
    )


def _settings(choices: WriterChoices) -> EndpointSettings:
    if choices.model is None:
        raise UserError("the endpoint's model has no name", where="--writer", fix="name it, with --writer-model")
    if choices.back is not None:
        raise UserError("an endpoint translates both ways", where="--writer-back", fix="leave it out")
    return EndpointSettings(
        url=choices.writer,
        model=choices.model,
        key_variable=choices.key_variable,
        temperature=choices.temperature,
        max_new_tokens=choices.max_new_tokens,
        body=choices.body,
        send_seed=choices.send_seed,
        at_once=choices.at_once,
        seconds=choices.seconds,
    )


def _refuse_for_local(choices: WriterChoices) -> None:
    """Refuse what means something to endpoints alone.

    Raises:
        UserError: It was given for a local model.
    """
    given = {
        "--writer-model": choices.model is not None,
        "--writer-key": choices.key_variable is not None,
        "--writer-body": bool(choices.body),
        "--budget-requests, --budget-tokens and --budget-money": choices.limits != Limits(),
    }
    if wrong := [name for name, is_given in given.items() if is_given]:
        raise UserError(
            f"{choices.writer!r} is a model on this machine, and {wrong[0]} is for endpoints",
            where="--writer",
            fix="leave it out, or write the address of an endpoint: http://localhost:8000/v1",
        )
