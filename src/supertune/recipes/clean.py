"""Rows made fit to learn from, with everything that was done to them written beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.config import Config, Preparation, dump_preparation
from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import (
    OPERATORS,
    Cleaned,
    LabelErrors,
    Operator,
    Table,
    TableFormat,
    built,
    check_format,
    default_steps,
    file_of,
    parse_format,
    write_prepared,
)
from supertune.data import clean as clean_tables
from supertune.errors import UserError
from supertune.files import atomic_folder, write_text
from supertune.language import around_difference, guess_language
from supertune.recipes.clean_page import preparation_page
from supertune.recipes.label_errors import find_label_errors
from supertune.recipes.prepared_folder import refuse_existing_folder, refuse_several_sources, with_what_was_found
from supertune.recipes.rows import find_columns, read_given, sample_texts
from supertune.runs import versions

_SHOWN = 60
"""Characters that are shown of a text before, and as many of it after."""
_FOR_LANGUAGE = 400
"""Rows looked at to tell the language of the page."""


@dataclass(frozen=True)
class Preparing:
    """What came of a preparation.

    Attributes:
        tables: Split → the rows that stayed; ``all`` where there are no splits.
        cleaned: What each step did.
        out: The folder that was written; None if none was asked for.
    """

    tables: Mapping[str, Table]
    cleaned: Cleaned
    out: Path | None

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``clean --json``."""
        splits = {
            split: {"rows": len(table), "steps": [step.as_dict() for step in self.cleaned.steps[split]]}
            for split, table in self.tables.items()
        }
        return {"out": str(self.out) if self.out else None, "splits": splits}


def clean(
    preparation: Preparation,
    data: object = None,
    *,
    out: Path | None,
    wanted: str = "jsonl",
    workers: int = 1,
    console: Console,
) -> Preparing:
    """Read the rows, do the steps, and write what came of it.

    Args:
        preparation: Data, task and steps; without steps those that suit the task.
        data: Rows, instead of the source that the preparation names.
        out: Folder to write; None only tells what would be done.
        wanted: ``jsonl``, ``parquet`` or ``csv``.
        workers: Processes for the steps that look at single rows.
        console: Where to tell.

    Raises:
        UserError: The data cannot be read, a step is wrong, or ``out`` is there already.
    """
    form = parse_format(wanted)
    refuse_existing_folder(out)
    refuse_several_sources(preparation.config)
    # Steps that were named wrongly are told before a row is read.
    chosen = [built(OPERATORS, step.name, step.options, step.where) for step in preparation.steps or ()]
    console.heading("Data")
    config = preparation.config
    tables = read_given(config, data, console)
    columns = _columns(config, tables, console)
    for table in tables.values():
        check_format(table, form)
    operators = _default(columns, tables, console) if preparation.steps is None else chosen
    console.heading("Steps")
    with console.progress("cleaning", 1.0) as bar:
        cleaned = clean_tables(tables, columns, operators, judge=_Judge(console), workers=workers, progress=bar)
    _show(cleaned, console)
    if out is not None:
        steps = [(operator.name, operator.options) for operator in operators]
        _write(out, tables, cleaned, dump_preparation(with_what_was_found(config, columns, data), steps), form, columns)
        files = ", ".join(f"{file_of(split, form)} ({len(table):,} rows)" for split, table in cleaned.tables.items())
        console.say(f"  {out}: {files}, removed.jsonl, report.html")
    return Preparing(cleaned.tables, cleaned, out)


def _columns(config: Config, tables: Mapping[str, Table], console: Console) -> Columns:
    """The columns; rows that have nothing to learn yet can be cleaned too."""
    try:
        return find_columns(config, tables, console)
    except UserError:
        if config.data.label is not None:
            raise
    found = find_columns(config, tables, console, need_label=False)
    if not found.labels:
        console.say("  no label column was found (--label): rows of one text count as repeats whatever else they hold")
    return found


def _default(columns: Columns, tables: Mapping[str, Table], console: Console) -> list[Operator]:
    steps = default_steps(columns, several_splits=len(tables) > 1)
    console.say(f"  steps that suit these rows: {', '.join(name for name, _ in steps)} (others with --step)")
    return [built(OPERATORS, name, options, "default steps") for name, options in steps]


@dataclass(frozen=True)
class _Judge:
    """Asks the embedded encoder for the texts' language which labels are probably wrong."""

    console: Console

    def __call__(self, tables: Mapping[str, Table], columns: Columns) -> LabelErrors | None:
        texts = sample_texts(next(iter(tables.values())), columns, _FOR_LANGUAGE)
        language = guess_language(texts).language
        return find_label_errors(tables, columns, language=language, tokens=0, wanted=True, console=self.console)


def _show(cleaned: Cleaned, console: Console) -> None:
    """A table of the steps, and for each that changed something one text before and after."""
    for split, steps in cleaned.steps.items():
        if len(cleaned.steps) > 1:
            console.say(f"  {split}")
        rows = []
        for step in steps:
            told = step.as_dict()
            reasons = ", ".join(f"{reason}: {count:,}" for reason, count in list(told["removed"].items())[:3])
            counts = (step.tally.rows_in, step.tally.changed, len(step.tally.removed))
            rows.append([step.name, *(f"{count:,}" for count in counts), reasons])
        console.table(["step", "rows", "changed", "left out", "why"], rows, right=(1, 2, 3))
        for step in steps:
            for change in step.tally.samples[:1]:
                before, after = around_difference(change.before, change.after, _SHOWN)
                console.say(f"  {step.name}, row {change.row}: {before!r} → {after!r}")


def _write(
    out: Path, tables: Mapping[str, Table], cleaned: Cleaned, recipe: str, form: TableFormat, columns: Columns
) -> None:
    """Write the folder, whole or not at all."""
    language = guess_language(sample_texts(next(iter(cleaned.tables.values())), columns, _FOR_LANGUAGE)).language
    about = {"versions": versions()}
    with atomic_folder(out) as folder:
        write_prepared(folder, tables, cleaned, recipe=recipe, wanted=form, about=about)
        write_text(
            folder / "report.html", preparation_page(out.name, tables, cleaned, "zh" if language == "zh" else "en")
        )
