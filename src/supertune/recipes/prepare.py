"""From the configuration to encoded rows that have passed the gate: what folds, ladder and search share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Features, Finding, LearnsBySimilarity, ReadsLabels, Task, label_names
from supertune.recipes.candidates import with_candidates
from supertune.recipes.check import GateReport, gate
from supertune.recipes.encode import encode_splits, fitted_task, gate_input, labelled_only
from supertune.recipes.mixed import with_mixed
from supertune.recipes.negatives import with_negatives
from supertune.recipes.rows import LoadedRows, load_rows
from supertune.recipes.sources import by_weight
from supertune.recipes.start import Start, prepare_start
from supertune.recipes.teacher import with_teacher
from supertune.recipes.template import with_answers, with_template


@dataclass(frozen=True)
class Prepared:
    """Everything that training begins with.

    Attributes:
        start: Model, strategy, device and configuration, but for what only the model can tell.
        task: Fitted to the training rows.
        rows: The splits.
        features: Every split encoded; held-out tables whole.
        report: What the gate found.
        stopping: The findings for which training must not begin.
        mixed: File that is learned from beside the training rows → what was taken of it, for the manifest.
        sources: What each of several data sets gives to learn, for the manifest; none where there is one alone.
    """

    start: Start
    task: Task
    rows: LoadedRows
    features: Mapping[str, Features]
    report: GateReport
    stopping: tuple[Finding, ...]
    mixed: Mapping[str, Any]
    sources: Sequence[Mapping[str, Any]] = ()

    @property
    def learned(self) -> dict[str, Features]:
        """The features of the rows that have a label."""
        return labelled_only(self.task, self.features)


def prepare(
    config: Config, data: object, console: Console, settled: Callable[[Start, LoadedRows], None] | None = None
) -> Prepared:
    """Read, encode and check.

    Args:
        config: What to do.
        data: Rows that are in memory already; otherwise ``config.data.source`` is read.
        console: Where to show progress.
        settled: Called once the model is found and before the rows are encoded.

    Raises:
        UserError: Something in data, configuration or surroundings is wrong.
    """
    console.heading("Data")
    rows = load_rows(config, data, console)
    console.heading("Model")
    start = with_teacher(prepare_start(config, rows, console), rows, console)
    if not isinstance(start.strategy, LearnsBySimilarity) and rows.shares[1] < config.data.split[1]:
        # What was chosen needs validation rows after all.
        rows = load_rows(config.with_values({"strategy.name": start.strategy.name}), data, console)
        start = replace(start, config=start.config.with_values({"data.split": list(rows.shares)}))
    found = with_candidates(start.config.task, rows, console)
    task = fitted_task(start, found)
    start, task = with_template(start, task, found.splits["train"], console)
    # What is not known of a label shows before anything else is done.
    if isinstance(start.strategy, ReadsLabels):
        start.strategy.meanings(label_names(task))
    elif isinstance(start.strategy, LearnsBySimilarity):
        start.strategy.label_texts(label_names(task))
    if settled is not None:
        settled(start, rows)
    features = encode_splits(start, task, found, console)
    start, task = with_answers(start, task, features["train"])
    features["train"] = with_negatives(start, task, features["train"], console)
    console.heading("Gate")
    report, stopping = gate(gate_input(start, rows, features), config.data.allow, console)
    features["train"], sources = by_weight(config, found.splits["train"], features, found.whole, console)
    features["train"], mixed = with_mixed(start, task, features["train"], console)
    return Prepared(start, task, rows, features, report, tuple(stopping), mixed, sources)
