"""New rows read again before they are learned from: those that no longer say what their label says are left out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import Augmented, LabelsKept, Table, check_labels_can_be_kept, without_changed_labels
from supertune.language import shorten
from supertune.models import default_model
from supertune.recipes.embedder import open_embedder
from supertune.recipes.label_errors import KeptVectors

_SHOWN = 3

KeepLabels = Callable[[Augmented, int], LabelsKept]
"""Training rows with new ones behind them, and how many there were before → those whose labels are kept."""


def label_keeper(train: Table, columns: Columns, *, language: str, seed: int, console: Console) -> KeepLabels:
    """Who reads new rows again: the embedded encoder for the language, frozen, with heads that learn the originals.

    Raises:
        UserError: The labels cannot be read, there are too few rows, or there is no encoder.
    """
    check_labels_can_be_kept(train, columns)
    name = default_model(language)
    console.say(f"  new rows are read again by {name}, frozen, with heads that have not learned from their originals")
    vectors = KeptVectors(open_embedder(name), console)

    def keep(made: Augmented, before: int) -> LabelsKept:
        with console.progress("reading new rows", 1.0) as bar:
            return without_changed_labels(made, before, columns, vectors, seed=seed, progress=partial(bar, note=""))

    return keep


def show_changed(kept: LabelsKept, columns: Columns, console: Console) -> None:
    """How many were left out, and a few of them."""
    console.say(
        f"  {len(kept.changed):,} of {kept.judged:,} new rows whose originals are read as their own label are read as "
        "another one, and left out"
    )
    for each in kept.changed[:_SHOWN]:
        text = " ".join(str(each.values[name]) for name in columns.text)
        console.say(f"    {shorten(text, 60)!r}: {each.values[columns.labels[0]]!r}, read as {each.read_as!r}")
