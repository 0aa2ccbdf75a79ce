"""The verbs that make rows as Python functions; offered by ``import supertune``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from supertune.api_config import configured, named, with_columns
from supertune.config import Config
from supertune.console import Console
from supertune.recipes.augment import Augmenting
from supertune.recipes.clean import Preparing

if TYPE_CHECKING:
    from supertune.recipes.crawl import Crawled
    from supertune.recipes.writers import WriterChoices

__all__ = ["augment", "clean", "crawl"]


def clean(
    data: object,
    *,
    steps: Sequence[str | Mapping[str, Mapping[str, object]]] | None = None,
    out: str | Path | None = None,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    pair: bool | None = None,
    task: str | None = None,
    format: Literal["jsonl", "parquet", "csv"] = "jsonl",
    workers: int = 1,
    settings: Mapping[str, object] | None = None,
) -> Preparing:
    """Rows repaired, tidied and thinned out, step by step; ``supertune clean``.

    Args:
        data: As for `read`; several splits as there, or a preparation written by ``clean`` (``preparation.yaml``).
        steps: ``["encoding", {"length": {"least": 3}}]``; None for those that suit the task.
        out: Folder to write the rows to, with what was done; None writes nothing.
        text: Text columns; found when None.
        label: Label columns; found when None.
        pair: Whether two text columns are two texts.
        task: What is to be learned.
        format: Format of the files.
        workers: Processes; the result does not depend on it.
        settings: Further configuration keys.

    Returns:
        The rows that stayed (``.tables``), and what each step did (``.cleaned``).

    Raises:
        UserError: The data cannot be read, a step is wrong, or ``out`` is there already.
    """
    from supertune.config import Preparation, load_preparation, steps_of
    from supertune.recipes.clean import clean as run_clean

    if isinstance(data, str | Path) and Path(data).suffix in (".yaml", ".yml"):
        preparation, content = load_preparation(Path(data)), None
        config = with_columns(preparation.config, text, label)
    else:
        preparation = Preparation(Config())
        config, content = configured(data, text, label, None)
    config = named(config, task, pair).with_values(dict(settings or {}))
    chosen = preparation.steps if steps is None else steps_of(steps)
    return run_clean(
        Preparation(config, chosen),
        content,
        out=None if out is None else Path(out),
        wanted=format,
        workers=workers,
        console=Console(quiet=True),
    )


def augment(
    data: object,
    *,
    by: Sequence[str | Mapping[str, Mapping[str, object]]] | None = None,
    out: str | Path | None = None,
    copies: int | None = None,
    balance: bool = False,
    rows_per_class: int | None = None,
    protect: Mapping[str, object] | None = None,
    keep_labels: bool = False,
    seed: int | None = None,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    pair: bool | None = None,
    task: str | None = None,
    format: Literal["jsonl", "parquet", "csv"] = "jsonl",
    settings: Mapping[str, object] | None = None,
    validation: str | None = None,
    test: str | None = None,
    measure: int | None = None,
    writer: str | WriterChoices | None = None,
) -> Augmenting:
    """New training rows made of those that there are; ``supertune augment``.

    Args:
        data: As for `read`, divided as training would where it is one table; or an ``augmentation.yaml``.
        by: ``["synonyms", {"random-deletion": {"share": 0.05}}]``: what makes new rows.
        out: Folder to write the splits to; None writes nothing.
        copies: New rows of each row by each augmenter; 1 when None.
        balance: Only bring each class up to the largest.
        rows_per_class: Only bring each class up to so many rows.
        protect: What stays as it is: ``negations``, ``quotes``, ``patterns``, ``entities``.
        keep_labels: Leave out new rows that a frozen encoder reads as another label than theirs.
        seed: Chooses what is changed; 0 when None.
        text: Text columns; found when None.
        label: Label columns; found when None.
        pair: Whether two text columns are two texts.
        task: What is to be learned.
        format: Format of the files.
        settings: Further configuration keys.
        validation: File with the validation rows.
        test: File with the test rows.
        measure: On so many divisions of the training rows train with and without the new rows (``.measured``); 10 is
            usual. The test rows are not looked at.
        writer: Who is asked, for augmenters that ask a model: a run, folder or model here, or
            ``supertune.recipes.writers.WriterChoices`` for an endpoint and what may be spent there.

    Returns:
        The splits (``.tables``), of which only ``train`` has new rows, and what each augmenter did (``.augmented``).

    Raises:
        UserError: The data cannot be read or divided, an augmenter is wrong, or ``out`` is there already.
    """
    from supertune.config import Augmentation, load_augmentation, steps_of
    from supertune.recipes.augment import augment as run_augment
    from supertune.recipes.writers import WriterChoices

    written = isinstance(data, str | Path) and str(data).lower().endswith((".yaml", ".yml"))
    found = load_augmentation(Path(str(data))) if written else Augmentation(Config())
    rows = None if written else str(data) if isinstance(data, Path) else data
    config = named(with_columns(found.config, text, label), task, pair).with_values(dict(settings or {}))
    held_out = {"data.validation": validation, "data.test": test}
    config = config.with_values({key: value for key, value in held_out.items() if value is not None})
    amount = {"copies": copies, "balance": balance or None, "rows_per_class": rows_per_class}
    found = replace(
        found,
        config=config,
        augmenters=found.augmenters if by is None else steps_of(by, "by"),
        amount={**found.amount, **{name: value for name, value in amount.items() if value is not None}},
        protect={**found.protect, **(protect or {})},
        seed=found.seed if seed is None else seed,
        keep_labels=found.keep_labels or keep_labels,
    )
    place = None if out is None else Path(out)
    asked = WriterChoices(writer) if isinstance(writer, str) else writer
    return run_augment(
        found, rows, out=place, wanted=format, writer=asked, measure=measure, console=Console(quiet=True)
    )


def crawl(
    urls: str | Sequence[str] = (),
    *,
    out: str | Path,
    sitemaps: Sequence[str] = (),
    hosts: Sequence[str] = (),
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    depth: int | None = None,
    pages: int = 1000,
    requests: int | None = None,
    minutes: float | None = None,
    delay: float = 1.0,
    contact: str | None = None,
    retry: bool = False,
    allow_private: Sequence[str] = (),
    quiet: bool = True,
) -> Crawled:
    """Fetch web pages as rows: politely, safely, with where each comes from; ``supertune crawl``.

    Args:
        urls: Addresses to begin with; none goes on with what ``out`` holds.
        out: Folder to write; one that was begun goes on.
        sitemaps: Addresses of sitemaps; those that robots.txt names are read as well.
        hosts: Hosts besides those of the addresses; ``*.example.org`` for all below one.
        include: Prefixes of paths or URLs; nothing else is followed.
        exclude: Prefixes of what is left out.
        depth: Links to follow from an address; None for no bound.
        pages: Pages to write, over all sessions.
        requests: Answers to ask for, over all sessions; None for ten times as many as pages.
        minutes: Time for this session; None for no bound.
        delay: Seconds between requests to a host, at least.
        contact: Where whoever crawls is reached; sent to every site.
        retry: Ask again for what failed in earlier sessions.
        allow_private: Addresses and networks that are not public: ``10.1.0.0/16``, ``127.0.0.1:8080``.
        quiet: False shows on standard error what the command line shows.

    Returns:
        The folder, and how many URLs were not written and why (``.manifest``); ``.pages`` is what `read` takes.

    Raises:
        UserError: Something given is wrong, or there is not a single page.
        InterruptedRunError: Ctrl-C; the same call goes on.
    """
    from supertune.data.crawl import Pace, Territory
    from supertune.recipes.crawl import crawl as run_crawl

    return run_crawl(
        Territory(
            seeds=(urls,) if isinstance(urls, str) else tuple(urls),
            sitemaps=tuple(sitemaps),
            hosts=tuple(hosts),
            include=tuple(include),
            exclude=tuple(exclude),
            depth=depth,
            allow_private=tuple(allow_private),
        ),
        out=Path(out),
        pace=Pace(delay=delay, pages=pages, requests=requests, seconds=None if minutes is None else minutes * 60),
        contact=contact,
        retry=retry,
        console=Console(quiet=quiet),
    )
