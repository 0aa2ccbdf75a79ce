"""Several data sets that are learned from together: read each in its own way, divided alike, taken by weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from supertune.config import WRITING, Config, SourceConfig
from supertune.console import Console
from supertune.contracts import Columns, Face, Features, Generation, IntArray
from supertune.data import SOURCE, Ingredient, Step, Table, infer_columns, mixed, read, stacked, well_formed
from supertune.errors import UserError
from supertune.tasks import TASKS

_RANDOM_STREAM = 0x50C5


@dataclass(frozen=True)
class Together:
    """Several data sets as one.

    Attributes:
        config: The configuration as it holds for the one: its columns, and of each data set what was found.
        tables: ``all``; ``train`` and those held out that the user named.
    """

    config: Config
    tables: dict[str, Table]


def several_sources(config: Config) -> list[SourceConfig]:
    """The data sets, where the configuration names more than one by a list; else none."""
    source = config.data.source
    return source if isinstance(source, list) else []


def read_together(config: Config, console: Console) -> Together:
    """Read every data set of ``data.source`` in its own format, and put them together.

    Raises:
        UserError: One cannot be read, lacks a column, is no data of the task, or is named twice.
    """
    sources = several_sources(config)
    for number, source in enumerate(sources):
        if source.path in [other.path for other in sources[:number]]:
            raise UserError(
                f"{source.path} is named twice",
                where=f"data.source[{number}]",
                fix="name it once, with weight: 2 to learn each of its rows twice in an epoch",
            )
    read_in = [_read(config, source) for source in sources]
    for source, (table, columns) in zip(sources, read_in, strict=True):
        formed = f" ({columns.layout.format})" if columns.layout is not None else ""
        console.say(f"  {table.source}{formed}: {len(table):,} rows, each learned {source.weight:g} times an epoch")
        for note in (*table.notes, *columns.announcements):
            console.say(f"    {note}")
    tables = {"all": _put_together(config, read_in, names_of(sources))}
    asked = config.data
    held_out = {"validation": (asked.validation, asked.validation_query), "test": (asked.test, asked.test_query)}
    for split, (path, query) in held_out.items():
        if path is not None:
            one, named = _read(config, held := SourceConfig(path=path, query=query)), names_of([held])
            tables = {"train": tables["all"]} if "all" in tables else tables
            tables[split] = _put_together(config, [one], named, read_in[0][1])
            console.say(f"  {path} ({split}): {len(one[0]):,} rows")
    found = [_resolved(source, columns) for source, (_, columns) in zip(sources, read_in, strict=True)]
    columns = read_in[0][1]
    values: dict[str, object] = {"data.source": [each.model_dump(exclude_defaults=True) for each in found]}
    if columns.layout is None:
        values |= {"data.text": [*columns.text, *columns.negatives]}
        values |= {"data.label": list(columns.labels) if len(columns.labels) > 1 else columns.label}
    else:
        plain = columns.layout.format == "text"
        values |= {"data.text": ["text" if plain else "messages"], "data.label": None}
        values |= {"task.prompt": "{text}" if plain else None}
    return Together(config.with_values(values), tables)


def _read(config: Config, source: SourceConfig) -> tuple[Table, Columns]:
    """A data set and how it is read."""
    options: dict[str, Any] = {"on_bad_row": config.data.on_bad_row, "sheet": config.data.sheet}
    table = read(source.path, query=source.query, table=source.table, **options)
    columns = infer_columns(
        table,
        text=source.text if source.text is not None else config.data.text,
        label=source.label if source.label is not None else config.data.label,
        need_label=True,
        answers=TASKS[config.task.name].answers,
        separator=config.data.separator,
        pair=config.data.pair,
        tag_names=config.data.tag_names or (),
        generation=generation_of(config, source),
    )
    if columns.layout is not None:
        table = well_formed(table, columns, config.data.on_bad_row)
    return table, columns


def generation_of(config: Config, source: SourceConfig | None = None) -> Generation | None:
    """What is wanted of conversations, by the configuration and by what one of several data sets says of itself.

    Raises:
        UserError: A data set is to be read as a task that there is not.
    """
    task, own = config.task, source or SourceConfig(path="")
    if task.name not in get_args(Face):
        if (said := own.task or own.prompt or own.system) is not None:
            raise UserError(
                f"{said!r} is said of {own.path}, and {task.name!r} writes nothing",
                where="data.source",
                fix=f"take it out, or choose a task that writes: {', '.join(sorted(WRITING))}",
            )
        return None
    face = own.task or task.name
    if face not in get_args(Face):
        raise UserError(
            f"{face!r} is no task that writes, and {own.path} is to be read as one",
            where="data.source",
            fix=f"choose one of {', '.join(get_args(Face))}",
        )
    prompt, system = own.prompt or task.prompt, own.system or task.system
    return Generation(cast(Face, face), prompt, system, task.roles or {})


def names_of(sources: Sequence[SourceConfig]) -> list[str]:
    """What the data sets are called: their files' names, or their paths where those are not different."""
    found = [Path(source.path).name or source.path for source in sources]
    return found if len(set(found)) == len(found) else [source.path for source in sources]


def _put_together(
    config: Config, read_in: Sequence[tuple[Table, Columns]], names: Sequence[str], like: Columns | None = None
) -> Table:
    """The tables as one, with what they are in its lineage."""
    tables, columns = [table for table, _ in read_in], [each for _, each in read_in]
    if columns[0].layout is None:
        table = stacked(tables, columns, names, like)
    else:
        parts = [Ingredient(*one, name=name) for one, name in zip(read_in, names, strict=True)]
        table, _ = mixed(parts, config.data.split_seed)
    described = [
        {
            "path": table.source,
            "fingerprint": table.fingerprint,
            "rows": len(table),
            "lineage": [step.name for step in table.lineage],
            **({} if columns.layout is None else {"format": columns.layout.format}),
        }
        for table, columns in read_in
    ]
    step = Step("together", {"sources": described}, len(table), len(table))
    return replace(table, lineage=(*table.lineage, step))


def _resolved(source: SourceConfig, columns: Columns) -> SourceConfig:
    """A data set with what was found of it, so that it is read in the same way again."""
    labels = list(columns.labels) if len(columns.labels) > 1 else columns.label
    found: dict[str, Any] = {"text": [*columns.text, *columns.negatives], "label": labels}
    if columns.layout is not None:
        found["prompt"] = columns.layout.prompt
    return source.model_copy(update=found)


def by_weight(
    config: Config, table: Table, features: Mapping[str, Features], whole: Mapping[str, Table], console: Console
) -> tuple[Features, list[dict[str, Any]]]:
    """The training items as often as their data set's weight says, and what each data set gives to learn.

    Args:
        config: Names the data sets and their weights.
        table: The training rows.
        features: Every split, encoded.
        whole: The held-out tables.
        console: Where to tell what was found.

    Returns:
        The items; and for the manifest of each data set: rows by split, items, tokens and learned tokens of an epoch,
        and its share of the latter.

    Raises:
        UserError: Rows are learned in groups, which cannot be taken several times.
    """
    sources, learned = several_sources(config), features["train"]
    if not sources:
        return learned, []
    if learned.groups is not None and any(source.weight != 1 for source in sources):
        raise UserError(
            f"the rows of {config.task.name!r} are learned by comparing them, and cannot be taken by weight",
            where="data.source",
            fix="take the weights out",
        )
    number = {name: place for place, name in enumerate(names_of(sources))}
    of_rows = np.array([number[name] for name in table.column(SOURCE)], np.int64)
    if learned.groups is None and any(source.weight != 1 for source in sources):
        times = np.zeros(len(table), np.int64)
        for place, source in enumerate(sources):
            rows = np.unique(learned.rows[of_rows[learned.rows] == place])
            times[rows] = _times(len(rows), source.weight, [config.data.split_seed, _RANDOM_STREAM, place])
        learned = learned.take(np.repeat(np.arange(len(learned)), times[learned.rows]))
    facts = _facts(sources, learned, of_rows)
    for split, held in whole.items():
        known = held.column(SOURCE) if SOURCE in held.column_names else []
        for fact in facts:
            fact["rows"][split] = known.count(fact["name"])
    for fact in facts:
        tokens = f"{fact['tokens']:,} tokens, {fact['learned']:,} of them learned ({fact['share']:.1%} of all)"
        console.say(f"  {fact['name']}: {fact['items']:,} texts an epoch, {tokens}")
    return learned, facts


def _facts(sources: Sequence[SourceConfig], learned: Features, of_rows: IntArray) -> list[dict[str, Any]]:
    items = of_rows[learned.rows]
    tokens = np.bincount(items, learned.lengths, len(sources)).astype(np.int64)
    weights = learned.tokens.get("weights")
    if weights is None:
        counted = np.bincount(items, minlength=len(sources))
    else:
        counted = np.bincount(np.repeat(items, learned.lengths), weights != 0, len(sources)).astype(np.int64)
    return [
        {
            "name": name,
            "path": source.path,
            "weight": source.weight,
            "rows": {"train": int((of_rows == place).sum())},
            "items": int((items == place).sum()),
            "tokens": int(tokens[place]),
            "learned": int(counted[place]),
            "share": float(counted[place] / max(1, counted.sum())),
        }
        for place, (source, name) in enumerate(zip(sources, names_of(sources), strict=True))
    ]


def _times(rows: int, weight: float, seed: Sequence[int]) -> IntArray:
    """int64 (rows,): how often each row is taken; of a fraction as many rows as come nearest to it, drawn."""
    whole, rest = divmod(weight, 1)
    times = np.full(rows, int(whole), np.int64)
    times[np.random.default_rng(list(seed)).permutation(rows)[: round(rest * rows)]] += 1
    return times
