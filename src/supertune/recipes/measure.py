"""How good a model is: its scores on held-out rows, beside baselines fitted on the same training rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Features, Score
from supertune.evaluate import measure as measure_outcome
from supertune.evaluate import metrics_for, paired_difference
from supertune.recipes.kinds import kind_of
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.rows import LoadedRows
from supertune.recipes.saved import SavedModel, untrained
from supertune.recipes.source_scores import by_source
from supertune.recipes.without_leaked import without_leaked


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
    kind = kind_of(saved.task)
    held = _held(saved, rows, features, config, console)
    scores: dict[str, Mapping[str, Score]] = {}
    undefined: Mapping[str, str] = {}
    for split, answers in held.items():
        measured = measure_outcome(answers.outcome, metrics_for(answers.outcome.answers), **settings)
        scores[split], undefined = measured.scores, measured.undefined
    scores |= without_leaked(rows, held, settings)
    scores |= by_source(rows, held, settings)
    test = held.get("test")
    if test is None or not config.evaluate.baselines:
        return Measurement(held, scores, saved.task.primary_metric, kind.rival, undefined)
    guesses = kind.guesses(test.task, rows.splits["train"], test, console)
    if kind.rival == "untrained":
        guesses["untrained"] = _held(untrained(saved, config.model), rows, features, config, console)["test"].outcome
    baselines = {
        name: measure_outcome(outcome, metrics_for(saved.task.answers), **settings).scores
        for name, outcome in guesses.items()
    }
    scores |= {f"test_{name}": values for name, values in baselines.items()}
    difference = paired_difference(test.outcome, guesses[kind.rival], saved.task.primary_metric, **settings)
    told = difference if math.isfinite(difference.value) else None
    return Measurement(held, scores, saved.task.primary_metric, kind.rival, undefined, baselines, told)


def _held(
    saved: SavedModel, rows: LoadedRows, features: Mapping[str, Features], config: Config, console: Console
) -> dict[str, Held]:
    """Every held-out split and what the model says about it.

    Where texts are compared, answers are looked for among those of every split, the training rows' as well.
    """
    compared = any(encoded.groups is not None for encoded in features.values())
    splits = list(features) if compared else list(rows.whole)
    outputs: dict[str, NDArray[Any]] = {}
    for split in splits:
        encoded = features[split]
        with console.progress(f"predicting {len(encoded):,} texts", len(encoded)) as bar:
            outputs[split] = saved.outputs(encoded, config.evaluate.batch_size, progress=bar)
    task = saved.task.among(outputs, {split: features[split] for split in splits})
    return {
        split: Held(
            table=rows.whole[split],
            features=features[split],
            predictions=tuple(task.decode(outputs[split], features[split])),
            outcome=task.outcome(outputs[split], features[split]),
            labelled=task.scored_rows(features[split]),
            task=task,
            outputs=outputs[split],
        )
        for split in rows.whole
    }
