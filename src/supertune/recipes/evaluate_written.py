"""How well a trained model writes the answers of new rows: how likely it finds them, and what it writes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Features, Outcome, Score
from supertune.data import OnBadRow, Table, TokenCache, well_formed
from supertune.errors import UserError
from supertune.evaluate import measure
from supertune.generate import Generated
from supertune.recipes.encode import encode_labelled
from supertune.recipes.measure_writing import metrics_of, predictions
from supertune.recipes.measured import Evaluated
from supertune.recipes.row_counts import counts_of
from supertune.recipes.saved import SavedModel
from supertune.recipes.written import Author, asked_rows, written_outcome
from supertune.tasks import GenerationTask

Generate = int | Literal["all"] | None
"""Rows that are written: so many, all that have an answer, or None for as many as the run was measured on."""


def evaluate_written(
    saved: SavedModel,
    table: Table,
    config: Config,
    generate: Generate,
    console: Console,
    *,
    on_bad_row: OnBadRow = "refuse",
) -> Evaluated:
    """Likelihoods of all rows that have an answer, and scores of what is written to some of them or all.

    The same rows with the run's own settings give the scores of its metrics.json.

    Args:
        saved: A model that writes.
        table: Rows with answers; those without are not scored.
        config: The run's: how many rows it was measured on, and the seed by which they are drawn.
        generate: How many rows to write.
        console: Where to show progress.
        on_bad_row: ``refuse``, or ``skip`` rows that are no conversations, which is told.

    Returns:
        Of each row what was written, if anything, and how likely its answer is; ``answered``, rows that have an answer,
        and ``written``, of how many of them the model wrote one itself.

    Raises:
        UserError: No row has an answer, or one cannot be asked.
    """
    task = saved.task
    assert isinstance(task, GenerationTask)
    whole = len(table)
    table = well_formed(table, task.columns, on_bad_row)
    if len(table) < whole:
        console.warn(f"{whole - len(table):,} of {whole:,} rows are no conversations and are left out")
    features = _encoded(saved, table, console)
    with console.progress(f"reading {len(features):,} texts", len(features)) as bar:
        likely = task.outcome(saved.outputs(features, config.evaluate.batch_size, progress=bar), features)
    wanted = config.evaluate.generate if generate is None else len(table) if generate == "all" else generate
    asked, conversations = asked_rows(table, features, task, wanted, config.train.seed)
    generated: dict[int, Generated] = {}
    scores: dict[str, Score] = {}
    if len(asked):
        answered = len(likely)
        drawn = f" of {answered:,}, drawn with seed {config.train.seed}" if len(asked) < answered else ""
        all_of_them = "; --generate all for every one" if drawn else ""
        console.say(f"  answers are written to {len(asked):,} rows{drawn}{all_of_them}")
        author = Author(saved.model, saved.tokenizer, task, saved.max_length, config.evaluate.batch_size)
        texts = author.write(conversations, console, f"writing {len(asked):,} answers")
        generated = dict(zip(asked.tolist(), texts, strict=True))
        scores |= _scored(written_outcome(table, asked, task, texts), task, config)
    elif task.written_metric is not None:
        console.say("  nothing is written (--generate 0): scores tell how likely the answers are")
    scores |= _scored(likely, task, config)
    told = predictions(table, features, task, likely, generated)
    return Evaluated(table, scores, lambda: told, {"answered": len(likely), "written": len(generated)})


def _encoded(saved: SavedModel, table: Table, console: Console) -> Features:
    """The rows that have an answer, as tokens.

    Raises:
        UserError: Some cannot be read by the template, or none is left.
    """
    cache = TokenCache(console.warn)
    with console.progress("tokenising", len(table)) as bar:
        features = encode_labelled(saved.task, table, saved.tokenizer, saved.max_length, cache=cache, progress=bar)
    counts = counts_of(features)
    for kind, rows in counts.problems.items():
        if kind != "unanswered":
            shown = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
            raise UserError(
                f"{len(rows):,} rows ({shown}) cannot be scored: {counts.examples[kind]}",
                where=table.source,
                fix="take them out, or change their messages",
            )
    for remark in counts.told():
        console.warn(remark)
    if not len(features):
        raise UserError(
            "no row has an answer to compare with", where=table.source, fix="supertune predict needs none; or add some"
        )
    return features


def _scored(outcome: Outcome, task: GenerationTask, config: Config) -> Mapping[str, Score]:
    return measure(outcome, metrics_of(task, outcome.answers), resamples=config.evaluate.resamples).scores
