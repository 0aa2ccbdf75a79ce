"""New training rows made of those that there are; validation and test rows stay what they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from supertune.config import Augmentation, dump_augmentation
from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import (
    AUGMENTERS,
    Amount,
    Augmented,
    Augmenter,
    BatchAugmenter,
    ChangedLabel,
    Cleaned,
    Protection,
    Table,
    TableFormat,
    built,
    check_format,
    file_of,
    parse_format,
    write_prepared,
)
from supertune.data import augment as augment_table
from supertune.errors import UserError
from supertune.files import atomic_folder, write_jsonl, write_text
from supertune.language import around_difference
from supertune.recipes.keep_labels import label_keeper, show_changed
from supertune.recipes.measure_augmentation import MeasuredAugmentation, check_divisions, measure_augmentation
from supertune.recipes.prepared_folder import refuse_existing_folder, refuse_several_sources, with_what_was_found
from supertune.recipes.rows import load_rows
from supertune.recipes.writers import OpenedWriter, WriterChoices, opened_writer, refuse_personal_data, text_columns
from supertune.runs import json_value, versions

RECIPE = "augmentation.yaml"
CHANGED = "changed-labels.jsonl"
"""New rows that were left out because they are read as another label."""
_SHOWN = 60


@dataclass(frozen=True)
class Augmenting:
    """What came of it.

    Attributes:
        tables: ``train``, with the new rows, and ``validation`` and ``test``, as far as there are such.
        augmented: What each augmenter did.
        columns: Which columns are texts and labels.
        out: The folder that was written; None if none was asked for.
        measured: Whether the new rows help; None where that was not asked for.
    """

    tables: Mapping[str, Table]
    augmented: Augmented
    columns: Columns
    out: Path | None
    measured: MeasuredAugmentation | None = None

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``augment --json``."""
        return {
            "out": str(self.out) if self.out else None,
            "splits": {split: {"rows": len(table)} for split, table in self.tables.items()},
            "augmenters": [made.as_dict() for made in self.augmented.made],
            "announcements": list(self.augmented.announcements),
            **({} if self.measured is None else {"measured": self.measured.as_dict()}),
        }


def augment(
    augmentation: Augmentation,
    data: object = None,
    *,
    out: Path | None,
    wanted: str = "jsonl",
    writer: WriterChoices | None = None,
    measure: int | None = None,
    console: Console,
) -> Augmenting:
    """Divide the rows as training would, add rows to the training rows alone, and write all splits.

    Args:
        augmentation: Data, task, augmenters and how many rows.
        data: Rows, instead of the source that the augmentation names.
        out: Folder to write; None only tells what would be done.
        wanted: ``jsonl``, ``parquet`` or ``csv``.
        writer: Who is asked, for augmenters that ask a model.
        measure: Divisions of the training rows on which to train with and without the new rows; None: not measured.
        console: Where to tell.

    Raises:
        UserError: The data cannot be read or divided, an augmenter is wrong, or ``out`` is there already.
        InterruptedRunError: Ctrl-C while measuring: the scores so far are kept, and no folder is written yet.
    """
    form = parse_format(wanted)
    if measure is not None:
        check_divisions(measure)
    refuse_existing_folder(out)
    refuse_several_sources(augmentation.config)
    augmenters = built_augmenters(augmentation)
    amount = built({"amount": Amount}, "amount", augmentation.amount, "amount")
    protection = built({"protect": Protection}, "protect", augmentation.protect, "protect")
    console.heading("Data")
    rows = load_rows(augmentation.config, data, console)
    for table in rows.splits.values():
        check_format(table, form)
    held_out = {split: rows.whole[split] for split in ("validation", "test") if split in rows.splits}
    console.heading("New training rows")
    train = rows.splits["train"]
    language = rows.language.language
    keep = (
        label_keeper(train, rows.columns, language=language, seed=augmentation.seed, console=console)
        if augmentation.keep_labels
        else None
    )
    with _opened(writer, augmenters, train, rows.columns, console) as opened:
        add = partial(
            augment_table,
            columns=rows.columns,
            augmenters=augmenters,
            amount=amount,
            protection=protection,
            writer=opened.writer if opened else None,
        )
        with console.progress("augmenting", 1.0) as bar:
            made = add(
                train,
                seed=augmentation.seed,
                held_out=tuple(held_out.values()),
                progress=lambda done: bar(done, opened.spent() if opened else ""),
            )
        kept = keep(made, len(train)) if keep else None
        made = kept.augmented if kept else made
        if opened and opened.spent():
            console.say(f"  {opened.where}: {opened.spent()}")
        asked = opened.as_dict() if opened else {}
        _show(made, console)
        if kept:
            show_changed(kept, rows.columns, console)
        console.say(f"  {len(train):,} training rows, {len(made.table) - len(train):,} added")
        tables = {"train": made.table, **held_out}
        measured = None
        if measure is not None:
            about: list[object] = [[each.name, each.model_dump(mode="json")] for each in augmenters]
            about += [amount.model_dump(mode="json"), protection.model_dump(mode="json")]
            about += [opened.writer.identity] if opened else []
            about += ["keep-labels"] if keep else []

            def divided(learned: Table, known: tuple[Table, ...], draw: int) -> Table:
                added = add(learned, seed=draw, held_out=known)
                return (keep(added, len(learned)).augmented if keep else added).table

            measured = measure_augmentation(
                augmentation.config,
                rows,
                divided,
                draws=measure,
                about=about,
                console=console,
            )
        else:
            console.say("  whether they help is not known yet: --measure 10 trains with and without them")
        # Behind the measuring: interrupted, the same command has to find its folder free.
        if out is not None:
            recipe = dump_augmentation(
                with_what_was_found(augmentation.config, rows.columns, data),
                [(augmenter.name, augmenter.options) for augmenter in augmenters],
                amount=amount.model_dump(exclude_defaults=True),
                protect=protection.model_dump(exclude_defaults=True),
                seed=augmentation.seed,
                keep_labels=augmentation.keep_labels,
            )
            asked |= {"keep_labels": {"judged": kept.judged, "left_out": len(kept.changed)}} if kept else {}
            changed = kept.changed if kept else None
            _write(out, {"train": train, **held_out}, tables, made, recipe, form, asked, changed)
            files = ", ".join(f"{file_of(split, form)} ({len(table):,} rows)" for split, table in tables.items())
            console.say(f"  {out}: {files}, {RECIPE}")
    return Augmenting(tables, made, rows.columns, out, measured)


@contextlib.contextmanager
def _opened(
    choices: WriterChoices | None, augmenters: Sequence[Augmenter], train: Table, columns: Columns, console: Console
) -> Iterator[OpenedWriter | None]:
    """Who is asked, once it is settled that the rows may be sent there; None where nobody is to be.

    Raises:
        UserError: See `opened_writer` and `refuse_personal_data`; or somebody was named who is not needed.
    """
    if not any(isinstance(augmenter, BatchAugmenter) for augmenter in augmenters):
        if choices is not None:
            what = "no augmenter that was named asks a model"
            raise UserError(what, where="--writer", fix="leave it out, or name one: --by paraphrase")
        yield None
        return
    if choices is None:
        # The pipeline knows best who lacks it.
        yield None
        return
    with opened_writer(choices, console) as opened:
        refuse_personal_data(opened, train, text_columns(train, columns), choices.personal_data)
        if not opened.writer.local:
            console.say(f"  texts and labels of training rows are sent to {opened.where}")
        yield opened


def built_augmenters(augmentation: Augmentation) -> list[Augmenter]:
    """The augmenters that were named.

    Raises:
        UserError: None was named, there is no such augmenter or option, or a value does not fit.
    """
    if not augmentation.augmenters:
        known = ", ".join(AUGMENTERS)
        what = "no augmenter was named: none is used unless it is asked for"
        raise UserError(what, where="augment", fix=f"name one or several with --by; there are {known}")
    return [built(AUGMENTERS, step.name, step.options, step.where, "augmenter") for step in augmentation.augmenters]


def _show(made: Augmented, console: Console) -> None:
    told = []
    for each in made.made:
        reasons = each.as_dict()["dropped"]
        why = ", ".join(f"{reason}: {count:,}" for reason, count in list(reasons.items())[:3])
        told.append([each.name, f"{each.asked:,}", f"{each.added:,}", why])
    console.table(["augmenter", "asked", "added", "why not more"], told, right=(1, 2))
    for each in made.made:
        for change in each.samples[:1]:
            old, new = around_difference(change.before, change.after, _SHOWN)
            console.say(f"  {each.name}, row {change.row}: {old!r} → {new!r}")
    for announcement in made.announcements:
        console.say(f"  {announcement}")


def _write(
    out: Path,
    sources: Mapping[str, Table],
    tables: Mapping[str, Table],
    made: Augmented,
    recipe: str,
    form: TableFormat,
    asked: Mapping[str, object],
    changed: Sequence[ChangedLabel] | None,
) -> None:
    """Write the folder, whole or not at all."""
    about = {"versions": versions(), "augmenters": [each.as_dict() for each in made.made], **asked}
    with atomic_folder(out) as folder:
        cleaned = Cleaned(tables, dict.fromkeys(tables, ()))
        write_prepared(folder, sources, cleaned, recipe=None, wanted=form, about=about)
        write_text(folder / RECIPE, recipe)
        if changed is not None:
            write_jsonl(folder / CHANGED, (json_value(each.as_dict()) for each in changed))
