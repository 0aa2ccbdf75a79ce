"""Cross-validation: every row is asked about once, by a model that has not learned from it."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from supertune.config import Config, dump_config
from supertune.console import Console
from supertune.contracts import Score
from supertune.data import Folds, Table, folds_of_column, make_folds
from supertune.errors import InterruptedRunError, UserError
from supertune.evaluate import METRICS, repeated_score
from supertune.files import explained, read_json, sha256_bytes
from supertune.recipes.crossval_folder import OUT_OF_FOLD, CrossvalFolder, FoldDone, scores_by_metric
from supertune.recipes.fit import fit
from supertune.recipes.kinds import kind_of
from supertune.recipes.predict import show_scores
from supertune.recipes.prepared_folder import with_what_was_found
from supertune.recipes.resume import resume
from supertune.recipes.rows import LoadedRows, load_rows
from supertune.recipes.run import Run
from supertune.recipes.sources import several_sources
from supertune.recipes.without_data import without_data
from supertune.runs import sole_writer


@dataclass(frozen=True)
class CrossvalChoices:
    """How to cross-validate.

    Attributes:
        folds: Parts that the rows are dealt into; each is asked about by a model that learned from the others.
        repeats: How often the rows are dealt anew.
        column: Column that says the fold of each row, instead.
        keep_models: Keep the run of every fold, with its model and its report, under ``folds/``.
    """

    folds: int = 5
    repeats: int = 1
    column: str | None = None
    keep_models: bool = False


@dataclass(frozen=True)
class CrossValidation:
    """What came of it.

    Attributes:
        path: The folder; its ``predictions/out_of_fold.jsonl`` says of every row what a model said that had not
            learned from it.
        metrics: Metric → mean over the folds with its interval.
        primary: The metric that is judged by.
        folds: Every fold, in order.
    """

    path: Path
    metrics: Mapping[str, Score]
    primary: str
    folds: tuple[FoldDone, ...]

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``crossval --json``."""
        return {
            "run": str(self.path),
            "status": "done",
            "primary": self.primary,
            "metrics": {OUT_OF_FOLD: {name: score.as_dict() for name, score in self.metrics.items()}},
            "folds": [
                {
                    "repeat": one.repeat,
                    "fold": one.fold,
                    "rows": {"learned": one.learned, "asked": one.asked},
                    "score": one.metrics[one.primary]["value"],
                    "seconds": one.seconds,
                }
                for one in self.folds
            ],
        }


def crossval(
    config: Config, data: object = None, *, choices: CrossvalChoices, out: Path | None, console: Console
) -> CrossValidation:
    """Train on all folds but one, ask about that one, in turn.

    The folds are of the training rows: of all rows where these are not divided. Validation rows choose the epoch in
    every fold where there are some of their own, and are cut from what is learned where there are none; the test rows
    are not looked at. What a fold came to is kept, so that the same command goes on where it was, in the middle of a
    training too.

    Args:
        config: How to train.
        data: Rows that are in memory already; otherwise ``config.data.source`` is read.
        choices: How many folds.
        out: The folder; None for ``runs/crossval-<key>``, the same for the same rows and settings.
        console: Where to tell.

    Raises:
        UserError: The rows cannot be dealt so, a training fails, or ``out`` holds something else.
        GateError: The gate stops a fold.
        InterruptedRunError: Ctrl-C; the folds that are done are kept.
    """
    if several_sources(config):
        what = "is a list: of several data sets each is cross-validated on its own"
        raise UserError(what, where="data.source", fix="name one of them")
    if choices.column is not None and choices.repeats > 1:
        what = "the folds of a column are always the same: there is nothing to repeat"
        raise UserError(what, where="--fold-column, --repeats", fix="choose one of them")
    rows = load_rows(config.with_values({"data.split": [1.0, 0.0, 0.0]}), data, console)
    config = with_what_was_found(config, rows.columns, data)
    folds = _dealt(config, rows, choices, console)
    key = _key(config, rows, choices)
    path = out or Path("runs") / f"crossval-{sha256_bytes(key.encode('utf-8', 'surrogatepass'))[:12]}"
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
    with sole_writer(path):
        kept = CrossvalFolder(path, key, dump_config(config))
        _ask_all(config, rows, folds, kept, choices, console)
        found = _summed_up(kept, rows, folds)
        kept.finish(found.metrics, folds.repeats, folds.count, keep_models=choices.keep_models)
    _show(found, config, console)
    return found


def _dealt(config: Config, rows: LoadedRows, choices: CrossvalChoices, console: Console) -> Folds:
    """The training rows in folds, and a word on what they are like."""
    table = rows.splits["train"]
    if choices.column is not None:
        folds = folds_of_column(table, choices.column, rows.columns)
    else:
        folds = make_folds(
            table,
            rows.columns,
            folds=choices.folds,
            repeats=choices.repeats,
            seed=config.data.split_seed,
            near_duplicates=not config.data.split_near_duplicates,
        )
    console.heading(f"Folds, {folds.count}" + (f", {folds.repeats} times" if folds.repeats > 1 else ""))
    if "test" in rows.splits:
        console.say(f"  the {len(rows.splits['test']):,} test rows are not looked at")
    if folds.near:
        console.say(f"  {folds.near:,} rows that are nearly the same as others stay together with them")
    if folds.rare:
        console.warn(
            f"{folds.rare:,} labels have fewer texts than there are folds: some are not asked about everywhere"
        )
    if count := int(folds.unasked.max()):
        console.warn(f"{count:,} rows have a label of very few rows: they are learned from, and never asked about")
    return folds


def _key(config: Config, rows: LoadedRows, choices: CrossvalChoices) -> str:
    """What decides the outcome, as text."""
    fingerprints = [rows.splits[split].fingerprint for split in ("train", "validation") if split in rows.splits]
    content = [
        version("supertune"),
        dump_config(without_data(config)),
        fingerprints,
        choices.folds,
        choices.repeats,
        choices.column,
    ]
    return json.dumps(content, ensure_ascii=False)


def _ask_all(
    config: Config, rows: LoadedRows, folds: Folds, kept: CrossvalFolder, choices: CrossvalChoices, console: Console
) -> None:
    """Train and ask in every fold that is not done."""
    places = [(repeat, fold) for repeat in range(folds.repeats) for fold in range(folds.count)]
    if kept.done:
        console.say(f"  {len(kept.done)} of {len(places)} are done already")
    with console.progress("training and asking", len(places)) as bar:
        for number, (repeat, fold) in enumerate(places):
            if (repeat, fold) not in kept.done:
                tables = folds.divided(repeat, fold)
                if "validation" in rows.splits:
                    tables["validation"] = rows.splits["validation"]
                began = time.monotonic()
                run = _trained(config, number, tables, kept.place(repeat, fold))
                one = _done(run, repeat, fold, tables, time.monotonic() - began)
                kept.keep(run, one, keep_model=choices.keep_models)
            one = kept.done[repeat, fold]
            bar(number + 1, f"{one.primary} {one.metrics[one.primary]['value']:.3f}")


def _trained(config: Config, number: int, tables: Mapping[str, Table], place: Path) -> Run:
    """The run of one fold, gone on with where it was interrupted. Each fold has seeds of its own."""
    seed = (config.train.seed + number * config.train.seeds) % 2**32
    seeded = without_data(config).with_values({"train.seed": seed})
    try:
        if (place / "manifest.json").is_file():
            return resume(place, dict(tables), console=Console(quiet=True))
        shutil.rmtree(place, ignore_errors=True)
        return fit(seeded, dict(tables), out=place, console=Console(quiet=True), command=["crossval"])
    except InterruptedRunError as error:
        raise InterruptedRunError("interrupted; the same command goes on where it was") from error


def _done(run: Run, repeat: int, fold: int, tables: Mapping[str, Table], seconds: float) -> FoldDone:
    primary = str(read_json(run.path / "manifest.json")["primary"]["metric"])
    metrics = {name: score.as_dict() for name, score in run.metrics["test"].items()}
    return FoldDone(repeat, fold, len(tables["train"]), len(tables["test"]), primary, metrics, round(seconds, 2))


def _summed_up(kept: CrossvalFolder, rows: LoadedRows, folds: Folds) -> CrossValidation:
    """Means over all folds of all repetitions."""
    done = tuple(kept.done[key] for key in sorted(kept.done))
    asked = sum(one.asked for one in done if one.repeat == 0)
    learned, held = (round(sum(sizes) / len(done)) for sizes in zip(*((o.learned, o.asked) for o in done), strict=True))
    known = METRICS[rows.columns.answers]
    metrics = {}
    for name, values in scores_by_metric(done).items():
        metric = known.get(name.partition("/")[0])
        bounded = metric is not None and metric.higher_is_better and min(values) >= 0 and max(values) <= 1
        metrics[name] = repeated_score(name, values, learned, held, rows=asked, bounded=bounded)
    return CrossValidation(kept.path, metrics, done[0].primary, done)


def _show(found: CrossValidation, config: Config, console: Console) -> None:
    """Every fold, the means, and where it is."""
    table = [
        (
            str(one.repeat),
            str(one.fold),
            f"{one.learned:,}",
            f"{one.asked:,}",
            f"{one.metrics[one.primary]['value']:.4f}",
        )
        for one in found.folds
    ]
    console.table(("repetition", "fold", "learned", "asked", found.primary), table, right=(0, 1, 2, 3, 4))
    console.say("")
    headline = dict.fromkeys((found.primary, *kind_of(config.task.name).told))
    show_scores(console, found.metrics, list(headline))
    values = [one.metrics[one.primary]["value"] for one in found.folds]
    console.say(
        f"  means of {len(values)} folds, standard deviation of {found.primary} {statistics.stdev(values):.4f}; "
        "of models that learned from the other folds"
    )
    console.say(f"\npredictions: {found.path / 'predictions'}")
