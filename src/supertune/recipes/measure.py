"""How good a model is: its scores on held-out rows, beside baselines fitted on the same training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Columns, Features, Label, Outcome, Prediction, Predictor, Score
from supertune.data import Table, leaked_rows
from supertune.evaluate import MajorityBaseline, TfidfBaseline, metrics_for, paired_difference
from supertune.evaluate import measure as measure_outcome
from supertune.recipes.rows import LoadedRows
from supertune.recipes.saved import SavedModel
from supertune.tasks import UNLABELLED

WITHOUT_LEAKED = "without_leaked"
BASELINES: Mapping[str, Callable[[Sequence[str]], Predictor]] = {"majority": MajorityBaseline, "tfidf": TfidfBaseline}


@dataclass(frozen=True)
class Held:
    """One held-out split and what the model says about it.

    Attributes:
        table: Every row of it, in input order.
        features: The rows encoded.
        predictions: One per row.
        outcome: Truth and probabilities of the labelled rows.
        labelled: Positions of those in ``table``.
    """

    table: Table
    features: Features
    predictions: tuple[Prediction, ...]
    outcome: Outcome
    labelled: NDArray[np.int64]


@dataclass(frozen=True)
class Measurement:
    """Everything that was measured.

    Attributes:
        held: Split → the model's answers.
        scores: Split → metric → score: ``validation``, ``test``, ``test_without_leaked`` where rows leaked, and
            ``test_<baseline>`` for each baseline.
        undefined: Metric → why it has no value on the test split.
        baselines: Baseline → metric → score on the test split.
        difference: How much better than TF-IDF the model is in the primary metric, paired.
    """

    held: Mapping[str, Held]
    scores: Mapping[str, Mapping[str, Score]]
    undefined: Mapping[str, str] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    difference: Score | None = None

    @property
    def final_split(self) -> str:
        """The split whose scores say how good the model is: test; validation where there is no test."""
        return "test" if "test" in self.held else "validation"


def measure(
    saved: SavedModel, rows: LoadedRows, features: Mapping[str, Features], config: Config, console: Console
) -> Measurement:
    """Score the reloaded model on the validation and test rows, and the baselines on the test rows.

    Args:
        saved: The model as it was read back from the disk.
        rows: The splits.
        features: Encoded ``validation`` and ``test`` rows, whole tables.
        config: Resamples and seeds.
        console: Where to show progress.
    """
    settings: dict[str, int] = {"seed": config.train.seed, "resamples": config.evaluate.resamples}
    held = {split: _hold(saved, rows.whole[split], features[split], config, console) for split in rows.whole}
    scores: dict[str, Mapping[str, Score]] = {}
    undefined: Mapping[str, str] = {}
    for split, answers in held.items():
        measured = measure_outcome(answers.outcome, metrics_for(saved.task.answers), **settings)
        scores[split], undefined = measured.scores, measured.undefined
    scores |= _without_leaked(saved, rows, held, settings)
    test = held.get("test")
    if test is None or not config.evaluate.baselines:
        return Measurement(held, scores, undefined)
    guesses = baseline_outcomes(rows.splits["train"], test, rows.columns, test.outcome.labels, console)
    baselines = {
        name: measure_outcome(outcome, metrics_for(saved.task.answers), **settings).scores
        for name, outcome in guesses.items()
    }
    scores |= {f"test_{name}": values for name, values in baselines.items()}
    difference = paired_difference(test.outcome, guesses["tfidf"], saved.task.primary_metric, **settings)
    return Measurement(held, scores, undefined, baselines, difference)


def _hold(saved: SavedModel, table: Table, features: Features, config: Config, console: Console) -> Held:
    with console.progress(f"predicting {len(table):,} rows", len(table)) as bar:
        outputs: NDArray[Any] = saved.outputs(features, config.evaluate.batch_size, progress=bar)
    return Held(
        table=table,
        features=features,
        predictions=tuple(saved.task.decode(outputs, features)),
        outcome=saved.task.outcome(outputs, features),
        labelled=np.flatnonzero(features.targets["labels"] != UNLABELLED),
    )


def _without_leaked(
    saved: SavedModel, rows: LoadedRows, held: Mapping[str, Held], settings: Mapping[str, int]
) -> dict[str, Mapping[str, Score]]:
    """Scores of each split that holds rows which also stand in another one, without those rows."""
    clean: dict[str, Mapping[str, Score]] = {}
    if not rows.given_splits:
        return clean
    for split, leaked in leaked_rows({"train": rows.splits["train"], **rows.whole}, rows.columns).items():
        if split not in held or not len(leaked):
            continue
        outcome = held[split].outcome
        kept = ~np.isin(held[split].labelled, leaked)
        if kept.any():
            rest = Outcome(outcome.targets[kept], outcome.outputs[kept], outcome.labels)
            clean[f"{split}_{WITHOUT_LEAKED}"] = measure_outcome(
                rest, metrics_for(saved.task.answers), **settings
            ).scores
    return clean


def baseline_outcomes(
    train: Table, test: Held, columns: Columns, names: tuple[str, ...], console: Console
) -> dict[str, Outcome]:
    """Fit each baseline on the training rows and let it answer for the labelled test rows."""
    assert columns.label is not None
    texts, labels = list(train.texts(columns.text)), _as_text(train.column(columns.label))
    questions = list(test.table.select(test.labelled, step="labelled").texts(columns.text))
    outcomes = {}
    with console.progress("baselines", len(BASELINES)) as bar:
        for done, (name, make) in enumerate(BASELINES.items()):
            bar(done, name)
            baseline: Predictor = make(names)
            baseline.fit(texts, labels)
            outcomes[name] = Outcome(test.outcome.targets, baseline.predict(questions), names)
    return outcomes


def _as_text(labels: list[Label]) -> list[Label]:
    from supertune.tasks import label_text

    return [label_text(label) for label in labels]
