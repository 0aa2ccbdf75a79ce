"""How well a model writes: what it writes, and how likely it finds what people wrote, beside the untrained one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Features, Outcome, Prediction, Score
from supertune.conversation_rows import said
from supertune.data import Table
from supertune.evaluate import measure, metrics_for, paired_difference
from supertune.generate import Generated
from supertune.language import is_chinese
from supertune.recipes.few_shot import few_shot, few_shot_likelihoods, shown_examples
from supertune.recipes.forgetting import measure_forgetting
from supertune.recipes.measured import Held, Measurement, Writings
from supertune.recipes.rows import LoadedRows
from supertune.recipes.saved import SavedModel, untrained
from supertune.recipes.source_scores import by_source
from supertune.recipes.without_leaked import without_leaked
from supertune.recipes.written import Author, asked_rows, written_outcome
from supertune.tasks import GenerationTask

UNTRAINED, FEW_SHOT = "untrained", "few_shot"
_LIKELY = "bits_per_character"
"""Heads the report where nothing is asked: the loss in units that do not depend on the tokenizer."""


def measure_writing(
    saved: SavedModel,
    task: GenerationTask,
    rows: LoadedRows,
    features: Mapping[str, Features],
    config: Config,
    console: Console,
) -> Measurement:
    """Likelihoods of every held-out split, and what is written for some rows of the last one.

    Compared with the model before training, asked in the same way, and shown examples.

    Args:
        saved: The model as it was read back from the disk.
        task: Its task.
        rows: The splits.
        features: Encoded ``validation`` and ``test`` rows.
        config: How many rows, resamples and seeds.
        console: Where to show progress.
    """
    settings = {"seed": config.train.seed, "resamples": config.evaluate.resamples}
    final = "test" if "test" in rows.whole else "validation"
    before = untrained(saved, config.model) if config.evaluate.baselines else None
    likely = {split: _likelihoods(saved, task, features[split], config, console) for split in rows.whole}
    scores = {split: _scored(outcome, task, settings) for split, outcome in likely.items()}
    baselines: dict[str, Mapping[str, Score]] = {}
    rivals: dict[str, Outcome] = {}
    if before is not None:
        rivals = {UNTRAINED: _likelihoods(before, task, features[final], config, console)}
        baselines = {name: _scored(outcome, task, settings) for name, outcome in rivals.items()}
    writings, generated = _written(saved, before, task, rows, final, features[final], config, console)
    model, primary, rival, undefined = likely[final], _LIKELY, UNTRAINED, {}
    if writings is not None:
        model, rivals, rival = writings.model, dict(writings.others), FEW_SHOT
        primary = written_metric(task, model)
        found = measure(model, metrics_of(task, model.answers), **settings)
        scores[final], undefined = {**found.scores, **scores[final]}, dict(found.undefined)
        baselines |= {name: _scored(outcome, task, settings) for name, outcome in writings.likely.items()}
        baselines = {
            name: {**_scored(outcome, task, settings), **baselines.get(name, {})} for name, outcome in rivals.items()
        }
    difference = paired_difference(model, rivals[rival], primary, **settings) if rival in rivals else None
    held = {
        split: Held(
            table=rows.whole[split],
            features=features[split],
            predictions=tuple(
                predictions(rows.whole[split], features[split], task, outcome, generated if split == final else {})
            ),
            outcome=outcome,
            labelled=task.scored_rows(features[split]),
            task=task,
            outputs=outcome.outputs,
        )
        for split, outcome in likely.items()
    }
    scores |= without_leaked(rows, held, settings)
    scores |= by_source(rows, held, settings)
    scores |= {f"{final}_{name}": values for name, values in baselines.items()}
    general = measure_forgetting(saved, before, task, config, console) if before is not None else None
    forgotten = {} if general is None else general.differences
    scores |= {} if general is None else general.scores
    told = difference if difference is not None and math.isfinite(difference.value) else None
    return Measurement(held, scores, primary, rival, undefined, baselines, told, writings, forgotten)


def written_metric(task: GenerationTask, outcome: Outcome) -> str:
    """By which texts are judged first; answers to questions by the rules of their language."""
    metric = task.written_metric
    assert metric is not None
    if metric != "f1":
        return metric
    chinese = sum(is_chinese(references[0]) for references in outcome.targets)
    return "f1_cmrc" if 2 * chinese > len(outcome) else metric


def predictions(
    table: Table, features: Features, task: GenerationTask, likely: Outcome, generated: Mapping[int, Generated]
) -> list[Prediction]:
    """One for each row: what was written, if anything, and how likely what people wrote is.

    Args:
        table: The rows.
        features: Those that have an answer, encoded.
        task: What is learned.
        likely: Their likelihoods.
        generated: Position in the table → what was written.
    """
    told = dict(zip(np.unique(features.rows).tolist(), row_likelihoods(likely), strict=True))
    found = []
    for row in range(len(table)):
        one = generated.get(row)
        more = {} if one is None else {"ended": one.ended}
        more |= told.get(row, {})
        found.append(Prediction(row, None if one is None else one.text.strip(), more=more))
    return found


def row_likelihoods(likely: Outcome) -> list[dict[str, float]]:
    """How likely the texts of each row are, for its line in the predictions."""
    tokens, characters = (np.maximum(counts, 1) for counts in likely.targets.T)
    losses, bits = likely.outputs / tokens, likely.outputs / characters / math.log(2)
    columns = zip(losses.tolist(), bits.tolist(), strict=True)
    return [{"loss_per_token": loss, "bits_per_character": bit} for loss, bit in columns]


def metrics_of(task: GenerationTask, answers: str) -> list[str]:
    """The metrics of a kind of outcome that mean something for the task: CMRC's rules are for answers to questions."""
    return [name for name in metrics_for(answers) if task.written_metric == "f1" or not name.endswith("_cmrc")]


def _scored(outcome: Outcome, task: GenerationTask, settings: Mapping[str, int]) -> Mapping[str, Score]:
    """Every metric of the outcome; none where nobody has written anything to compare with."""
    return measure(outcome, metrics_of(task, outcome.answers), **settings).scores if len(outcome) else {}


def _likelihoods(
    saved: SavedModel, task: GenerationTask, features: Features, config: Config, console: Console
) -> Outcome:
    with console.progress(f"reading {len(features):,} texts", len(features)) as bar:
        return task.outcome(saved.outputs(features, config.evaluate.batch_size, progress=bar), features)


def _written(
    saved: SavedModel,
    before: SavedModel | None,
    task: GenerationTask,
    rows: LoadedRows,
    split: str,
    features: Features,
    config: Config,
    console: Console,
) -> tuple[Writings | None, dict[int, Generated]]:
    """What the model writes, and those it is compared with; and the model's texts by their row."""
    table, seed = rows.whole[split], config.train.seed
    asked, conversations = asked_rows(table, features, task, config.evaluate.generate, seed)
    if not len(asked):
        return None, {}
    author = Author(saved.model, saved.tokenizer, task, saved.max_length, config.evaluate.batch_size)
    generated = author.write(conversations, console, f"writing {len(asked):,} answers")
    others: dict[str, Sequence[Generated]] = {}
    likely: dict[str, Outcome] = {}
    if before is not None:
        bare = replace(author, model=before.model)
        others[UNTRAINED] = bare.write(conversations, console, "writing, before training")
        some = table.select(asked, step="asked")
        shown = shown_examples(bare, rows.splits["train"], some, seed)
        others[FEW_SHOT] = few_shot(bare, shown, console)
        if not task.encoder_decoder:
            likely[FEW_SHOT] = few_shot_likelihoods(bare, shown, some, console)
    writings = Writings(
        asked,
        tuple(said(conversation.messages) for conversation in conversations),
        written_outcome(table, asked, task, generated),
        {name: written_outcome(table, asked, task, texts) for name, texts in others.items()},
        likely,
    )
    return writings, dict(zip(asked.tolist(), generated, strict=True))
