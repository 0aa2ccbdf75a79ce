"""From what the user named to labelled rows in three splits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.config import Config, DataConfig, SourceConfig
from supertune.console import Console
from supertune.contracts import Columns, Format, Generation, LearnsBySimilarity
from supertune.conversation_rows import said
from supertune.data import (
    SOURCE,
    Table,
    complete_splits,
    conversations_in,
    infer_columns,
    of_added,
    read,
    read_splits,
    set_aside_unlabelled,
    split_table,
    well_formed,
)
from supertune.errors import UserError
from supertune.language import LanguageGuess, guess_language, is_blank
from supertune.recipes.sources import generation_of, read_together, several_sources
from supertune.strategies import build_strategy
from supertune.tasks import TASKS

_FOR_LANGUAGE = 4000
"""Rows looked at to tell the language, spread over the training rows."""

FEW_ROWS = 50
"""Rows per label, on average, below which few-shot strategies hold no validation rows back."""
CONTRASTIVE_ROWS = 100
"""Rows per label, on average, below which ``auto`` takes contrastive fine-tuning: at 64 it was 6.7 points better than
full on SST-2 and 0.9 on TREC (3 draws, docs/strategies.md); where it stops being better is not measured."""
FEW_VALIDATION_ROWS = 50
"""Validation rows below which they hold none back either: among fewer, which epoch is best is chance."""

_WRITTEN: Mapping[Format, str] = {
    **dict.fromkeys(("messages", "sharegpt", "alpaca", "prompt-completion"), "chat"),
    **{"summary": "summarization", "translation": "translation", "question-answer": "generative-qa"},
}
"""Format of conversations → the task that is meant by it, where none is named."""


@dataclass(frozen=True)
class LoadedRows:
    """Labelled rows, ready for the gate and for encoding.

    Attributes:
        columns: Which columns are text and label.
        given: The tables as the user gave them, without rows that lack a label: ``all``, or a table per split.
        splits: ``train``, ``validation``, ``test``: the rows to learn from and to score on.
        whole: The held-out tables with every row of the user's file, also those without a label.
        language: Main language of the training texts.
        announcements: What was decided on the way, for the user to read.
        shares: Of training, validation and test rows, where they were cut here.
        per_label: Rows per label, on average, of the table that the training rows come from.
        sources: The data sets that were put together, with what was found of each; none where there is one alone.
    """

    columns: Columns
    given: Mapping[str, Table]
    splits: Mapping[str, Table]
    whole: Mapping[str, Table]
    language: LanguageGuess
    announcements: tuple[str, ...]
    shares: tuple[float, ...] = tuple(DataConfig().split)
    per_label: float = math.inf
    sources: tuple[SourceConfig, ...] = ()

    @property
    def given_splits(self) -> bool:
        """True when the user gave more than one split."""
        return "all" not in self.given


def read_all(config: Config, data: object, console: Console) -> tuple[Config, dict[str, Table]]:
    """As `read_given`; several data sets are put together, and the configuration is that of what comes of it.

    Raises:
        UserError: As there, or several cannot be put together.
    """
    if data is None and several_sources(config):
        together = read_together(config, console)
        return together.config, together.tables
    return config, read_given(config, data, console)


def read_given(config: Config, data: object, console: Console) -> dict[str, Table]:
    """Every table the user named: ``all``, or one per split that was given.

    Raises:
        UserError: No source was named, or a source cannot be read.
    """
    source = data if data is not None else config.data.source
    if source is None:
        raise UserError("no data was named", where="data.source", fix="supertune train rows.csv, or set data.source")
    options: dict[str, Any] = {"on_bad_row": config.data.on_bad_row, "sheet": config.data.sheet}
    tables: dict[str, Table] = dict(read_splits(source, **options))
    held_out = {"validation": config.data.validation, "test": config.data.test}
    for split, named in held_out.items():
        if named is not None:
            if "all" in tables:
                tables = {"train": tables["all"]}
            tables[split] = read(named, **options)
    for split, table in tables.items():
        where = "" if split == "all" else f" ({split})"
        console.say(f"  {table.source}{where}: {len(table):,} rows")
        for note in table.notes:
            console.say(f"    {note}")
    return tables


def find_columns(config: Config, tables: Mapping[str, Table], console: Console, *, need_label: bool = True) -> Columns:
    """The text and label columns of the first table, which every other table must have as well.

    Raises:
        UserError: They cannot be told, or a table lacks one.
    """
    first = next(iter(tables.values()))
    try:
        columns = infer_columns(
            first,
            text=config.data.text,
            label=config.data.label,
            need_label=need_label,
            answers=TASKS[config.task.name].answers,
            separator=config.data.separator,
            pair=config.data.pair,
            tag_names=config.data.tag_names or (),
            generation=generation_of(config),
        )
    except UserError as error:
        task = None if config.task.name != Config().task.name else _task_of_texts(first)
        if task is None:
            raise
        fix = f"--task {task}, if a model is to learn to write the answers; or, for labels, {error.fix}"
        raise UserError(error.what, where=error.where, fix=fix) from error
    if config.task.symmetric and not columns.pair:
        raise UserError(
            f"only a pair has an order that may mean nothing, and {' + '.join(map(repr, columns.text))} is one text",
            where="task.symmetric",
            fix="name both texts: --pair --text one --text other",
        )
    strata = SOURCE if several_sources(config) and SOURCE in first.column_names else None
    group = config.data.group or columns.group
    columns = replace(columns, symmetric=config.task.symmetric, group=group, strata=strata)
    for announcement in columns.announcements:
        console.say(f"  {announcement}")
    wanted = [*columns.text, *(columns.labels if need_label else ())]
    if columns.group is not None and columns.group not in first.column_names:
        raise UserError(
            f"has no column {columns.group!r}, whose rows are to stay together",
            where=f"{first.source}, data.group",
            fix=f"its columns are {', '.join(map(repr, first.column_names))}",
        )
    for table in tables.values():
        for name in wanted:
            if name not in table.column_names:
                raise UserError(
                    f"has no column {name!r}, which {first.source} has",
                    where=table.source,
                    fix=f"rename one of its columns: {', '.join(map(repr, table.column_names))}",
                )
    return columns


def _task_of_texts(table: Table) -> str | None:
    """The task that writes for which rows look made; None where they are no conversations, or plain texts."""
    try:
        found = infer_columns(table, answers="generated", generation=Generation())
    except UserError:
        return None
    return _WRITTEN.get(found.layout.format) if found.layout is not None else None


def readable(tables: Mapping[str, Table], columns: Columns, config: Config) -> dict[str, Table]:
    """The tables with rows that are what the task reads: conversations, where something is to be written.

    Raises:
        UserError: There are others, and they are not to be skipped.
    """
    if columns.layout is None:
        return dict(tables)
    return {split: well_formed(table, columns, config.data.on_bad_row) for split, table in tables.items()}


def load_rows(config: Config, data: object, console: Console) -> LoadedRows:
    """Read, find the columns, set rows without a label aside, and make or complete the splits.

    Raises:
        UserError: Something in the data does not allow it; names file, row or column.
    """
    config, tables = read_all(config, data, console)
    columns = find_columns(config, tables, console)
    tables = readable(tables, columns, config)
    given: dict[str, Table] = {}
    announcements: list[str] = list(columns.announcements)
    for split, table in tables.items():
        given[split], unlabelled = set_aside_unlabelled(table, *columns.labels)
        if len(unlabelled):
            announcements.append(f"{len(unlabelled):,} rows of {table.source} have no label and are set aside")
            console.say(f"  {announcements[-1]}")
        if not len(given[split]):
            raise UserError(
                f"no row has a value in {' and '.join(map(repr, columns.labels))}, which is to be learned",
                where=table.source,
                fix="name the right column with --label, or label some rows",
            )
    per_label = rows_per_label(given, columns)
    fractions = split_shares(config, given, per_label)
    splits, cut = _split(fractions, config.data, given, columns)
    if fractions[1] < config.data.split[1]:
        cut = (
            *cut,
            "too few rows to choose an epoch by: none are held back for validation, and all are learned from",
        )
    for announcement in cut:
        console.say(f"  {announcement}")
    learned = without_blank_rows(splits["train"], columns)
    if len(learned) < len(splits["train"]):
        announcements.append(f"{len(splits['train']) - len(learned):,} training rows have no text and are left out")
        console.say(f"  {announcements[-1]}")
    splits = {**splits, "train": learned}
    held_out: list[str] = [split for split in ("validation", "test") if split in splits]
    whole = {split: tables.get(split, splits[split]) for split in held_out}
    return LoadedRows(
        columns=columns,
        given=given,
        splits=splits,
        whole=whole,
        language=guess_language(sample_texts(learned, columns, _FOR_LANGUAGE)),
        announcements=(*announcements, *cut),
        shares=tuple(fractions),
        per_label=per_label,
        sources=tuple(several_sources(config)) if columns.strata is not None else (),
    )


def rows_per_label(given: Mapping[str, Table], columns: Columns) -> float:
    """Rows per label, on average, of the table that the training rows come from, where each row has one label."""
    table = given["all"] if "all" in given else given.get("train")
    if table is None or columns.answers != "classes":
        return math.inf
    assert columns.label is not None
    return len(table) / len(set(table.column(columns.label)))


def split_shares(config: Config, given: Mapping[str, Table], per_label: float) -> Sequence[float]:
    """Shares of training, validation and test: as configured, but for few-shot strategies none of few rows to validate.

    They train for a fixed number of steps, and a tenth of eight rows says nothing of when to stop.
    """
    shares = config.data.split
    if "validation" in given or shares != DataConfig().split:
        return shares
    name, table = config.strategy.name, given["all"] if "all" in given else given.get("train", ())
    if name == "auto":
        similar = per_label < CONTRASTIVE_ROWS
    else:
        similar = isinstance(build_strategy(name, {}), LearnsBySimilarity)
    if not similar or (per_label >= FEW_ROWS and len(table) * shares[1] >= FEW_VALIDATION_ROWS):
        return shares
    train, validation, test = shares
    return [train + validation, 0.0, test]


def _split(
    fractions: Sequence[float], config: DataConfig, given: Mapping[str, Table], columns: Columns
) -> tuple[dict[str, Table], tuple[str, ...]]:
    seed, near = config.split_seed, not config.split_near_duplicates
    if "all" in given:
        splits = split_table(given["all"], columns, fractions=fractions, seed=seed, near_duplicates=near)
        sizes = ", ".join(f"{split} {len(table):,}" for split, table in splits.items())
        by = (
            "seed"
            if columns.answers in ("numbers", "answers", "texts", "ranking", "generated") or not columns.labels
            else "label and seed"
        )
        together = f", rows of one {columns.group!r} together" if columns.group is not None else ""
        if count := splits["train"].lineage[-1].parameters.get("near_duplicates"):
            together += f", {count:,} rows that are nearly the same as others together with them"
        return splits, (f"split by {by} {seed}{together}: {sizes}", *of_added(splits["train"]))
    completed = complete_splits(given, columns, fractions=fractions, seed=seed, near_duplicates=near)
    return dict(completed.tables), completed.announcements


def without_blank_rows(table: Table, columns: Columns) -> Table:
    """The rows that have a text, or both of a pair; there is nothing to learn from the others."""
    if columns.answers == "generated":
        spoken = map(said, (conversation.messages for conversation in conversations_in(table, columns)))
        kept = np.fromiter((not is_blank(text) for text in spoken), bool, len(table))
        return table if kept.all() else table.select(np.flatnonzero(kept), step="drop-blank-texts")
    sides = [table.texts((name,)) for name in columns.text] if columns.pair else [table.texts(columns.text)]
    kept = np.fromiter((not any(map(is_blank, texts)) for texts in zip(*sides, strict=True)), bool, len(table))
    return table if kept.all() else table.select(np.flatnonzero(kept), step="drop-blank-texts")


def sample_texts(table: Table, columns: Columns, count: int) -> list[str]:
    """At most ``count`` texts, spread evenly over the table."""
    positions = np.unique(np.linspace(0, len(table) - 1, min(count, len(table))).astype(np.int64))
    sample = table.select(positions, step="sample")
    if columns.answers == "generated":
        return [said(conversation.messages) for conversation in conversations_in(sample, columns)]
    return list(sample.texts(columns.text))
