"""Fine-tune a model: the table of contents of a training run."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from supertune.config import Config, dump_config
from supertune.console import Console
from supertune.contracts import Event, Prediction, ReadsLabels, Task
from supertune.data import OPERATORS, TextCleaning
from supertune.errors import GateError, InterruptedRunError, UserError
from supertune.files import explained
from supertune.recipes.answering import Answerer, answerer_of
from supertune.recipes.check import check_allowed, check_metric
from supertune.recipes.forgetting import check_general
from supertune.recipes.kinds import kind_of
from supertune.recipes.measure_writing import row_likelihoods
from supertune.recipes.measured import Measurement
from supertune.recipes.predict import show_scores
from supertune.recipes.prepare import Prepared, prepare
from supertune.recipes.probe import probe
from supertune.recipes.read_labels import read_labels
from supertune.recipes.row_counts import counts_of
from supertune.recipes.rows import LoadedRows
from supertune.recipes.run import Run
from supertune.recipes.saved import SavedModel, open_saved, reload_check, save_model
from supertune.recipes.settings import check_strategy, check_task
from supertune.recipes.start import Start, located
from supertune.recipes.story import Story, write_story
from supertune.recipes.teacher import taught
from supertune.recipes.train_seeds import TrainedSeeds, train_seeds
from supertune.recipes.witnesses import witnessed
from supertune.runs import RunStore, Status, create_run, prediction_row, sole_writer
from supertune.train import check_trackers


def fit(
    config: Config,
    data: object = None,
    *,
    out: Path | None = None,
    console: Console | None = None,
    command: Sequence[str] | None = None,
) -> Run:
    """Train on labelled rows, measure on held-out ones, and write everything into a run directory.

    Args:
        config: What to do.
        data: Rows that are in memory already; otherwise ``config.data.source`` is read.
        out: The run directory; None for ``runs/<task>-<date>-<time>``.
        console: Where to show progress; None for silence.
        command: The command line to record; None for this process's.

    Raises:
        UserError: Something in data, configuration or surroundings is wrong.
        GateError: The gate found errors that were not allowed; its report is in the run.
        InterruptedRunError: Ctrl-C; what was done is in the run.
    """
    console = console or Console(quiet=True)
    check_allowed(config.data.allow)
    check_metric(config.evaluate.metric, config.task.name)
    check_task(config)
    kind_of(config.task.name).check(config.train)
    check_trackers(config.train.trackers)
    check_strategy(config)
    check_general(config)
    existed = False
    if out is not None:
        with explained(out):
            existed = out.exists()
    written = dump_config(located(config))
    store = create_run(out, task=config.task.name, command=list(command or sys.argv), config_yaml=written)
    with sole_writer(store.path), recorded(store, existed=existed):
        return complete(store, config, data, console)


def complete(store: RunStore, config: Config, data: object, console: Console) -> Run:
    """Everything a run does, from wherever it was.

    Raises:
        UserError: Something in data, configuration or surroundings is wrong.
        GateError: The gate found errors that were not allowed; its report is in the run.
    """
    clock = Clock()
    prepared = prepare(config, data, console, settled=lambda start, rows: write_start(store, start, rows))
    store.write_gate(prepared.report.rows, prepared.report.findings)
    became = {
        split: counts_of(found).summary() for split, found in prepared.features.items() if found.notes is not None
    }
    store.write_rows(became)
    if prepared.sources:
        store.update_manifest(sources=list(prepared.sources))
    if prepared.mixed:
        store.update_manifest(mixed=prepared.mixed)
    if prepared.stopping:
        raise GateError(prepared.stopping, report=str(store.path / "gate.json"))
    task = prepared.task
    learned, asked = taught(prepared.start, task, prepared.features["train"], prepared.learned, console)
    if asked is not None:
        store.update_manifest(teacher=asked)
    clock.lap("prepare")
    unlearned = isinstance(prepared.start.strategy, ReadsLabels)
    console.heading("Labels" if unlearned else f"Training, {prepared.start.config.train.epochs} epochs")
    start = probe(prepared.start, task, learned, console)
    store.write_config(dump_config(start.config))
    with witnessed(store, prepared, start, console) as record:
        learn = read_labels if unlearned else train_seeds
        trained = learn(start, task, learned, checkpoints=store.checkpoints_folder, record=record, console=console)
        record.training_is_over()
        note_training(store, trained)
        task = trained.best.task
        clock.lap("train")
        saved = save_and_reload(store, start, task, prepared, trained)
        clock.lap("save")
        console.heading("Measuring")
        answerer = answerer_of(saved)
        measured = answerer.measure(prepared.rows, prepared.features, start.config, console)
        store.write_metrics(measured.scores)
        write_predictions(store, answerer, measured, start)
        write_rivals(store, answerer, measured, start)
        clock.lap("measure")
        record.results(measured.scores, seed=trained.best.seed)
        record(Event("done", trained.best.steps, {"examples_seen": trained.examples_seen}))
        primary = {"split": measured.final_split, "metric": measured.primary}
        store.update_manifest(primary=primary, timings=clock.laps, difference=_difference(measured))
        verdict = write_story(
            Story(store, start, task, prepared.rows, prepared.features, prepared.report, trained, measured)
        )
    store.finish("done")
    # Only now: until here a resumed run needs them.
    shutil.rmtree(store.checkpoints_folder, ignore_errors=True)
    show_scores(console, measured.scores[measured.final_split], task.headline)
    console.say(verdict)
    console.say(f"\nreport: {store.path / 'report.html'}\nmodel:  {store.model_folder}")
    return Run(store)


def _difference(measured: Measurement) -> dict[str, object] | None:
    """How much better the model is than the baseline it is compared with, paired, for the manifest."""
    if measured.difference is None:
        return None
    return {"baseline": measured.rival, "metric": measured.primary, **measured.difference.as_dict()}


class Clock:
    """Seconds since the last lap, by name, for the manifest."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        """End a lap."""
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 2)
        self._last = now


@contextlib.contextmanager
def recorded(store: RunStore, *, existed: bool = False, keep: bool = False) -> Iterator[None]:
    """Leave the run in a state that says what became of it, whatever happens in the block.

    A mistake that shows before training has begun leaves no folder behind, unless it is to be kept: there is nothing
    in it yet.
    """
    try:
        yield
    except UserError as error:
        if keep or store.checkpoints_folder.exists() or (store.path / "events.jsonl").exists():
            _finish_if_possible(store, "failed")
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT):
                fix = f"free some space, then go on with: supertune resume {store.path}"
                raise UserError(error.what, where=error.where, fix=fix) from error
        else:
            _remove(store.path, existed)
        raise
    except KeyboardInterrupt as interruption:
        _finish_if_possible(store, "interrupted")
        raise InterruptedRunError(f"interrupted; go on with: supertune resume {store.path}") from interruption
    except BaseException:
        _finish_if_possible(store, "failed")
        raise


def check_same_data(store: RunStore, rows: LoadedRows) -> None:
    """Check that the rows are those that the run began with; a new run has none yet.

    Raises:
        UserError: They have changed.
    """
    known = store.manifest.get("data") or {}
    for split, table in rows.splits.items():
        if split in known and known[split]["fingerprint"] != table.fingerprint:
            raise UserError(
                f"the {split} rows have changed since the run began",
                where=table.source,
                fix=f"restore them, or begin a new run: supertune train {store.path / 'config.yaml'}",
            )


def check_same_model(store: RunStore, start: Start) -> None:
    """Check that training starts from the weights that the run began with; a new run has none yet.

    Raises:
        UserError: They have changed.
    """
    known = store.manifest.get("base_model") or {}
    if known and known["sha256"] != start.source.sha256:
        raise UserError(
            "the weights of the model have changed since the run began",
            where=str(start.source.folder),
            fix=f"restore them, or begin a new run: supertune train {store.path / 'config.yaml'}",
        )


def check_same_teacher(store: RunStore, start: Start) -> None:
    """Check that the teacher is the one that the run began with; a new run has none yet.

    Raises:
        UserError: Its weights have changed.
    """
    known = store.manifest.get("teacher") or {}
    if known and start.teacher is not None and known["sha256"] != start.teacher.sha256:
        raise UserError(
            "the weights of the teacher have changed since the run began",
            where=start.teacher.name,
            fix=f"restore them, or begin a new run: supertune train {store.path / 'config.yaml'}",
        )


def _finish_if_possible(store: RunStore, status: Status) -> None:
    # On a full disk even this may fail; the error that matters is the first one.
    with contextlib.suppress(UserError, OSError):
        store.finish(status)


def _remove(path: Path, existed: bool) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if existed:
        path.mkdir(exist_ok=True)
    elif path.parent.name == "runs" and path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def write_start(store: RunStore, start: Start, rows: LoadedRows) -> None:
    """Record everything that decides the outcome, before training begins.

    Raises:
        UserError: The run was begun before, with other rows or another model.
    """
    check_same_data(store, rows)
    check_same_model(store, start)
    check_same_teacher(store, start)
    # A run that goes on has its choice from its configuration, and the reason from when it began.
    known = store.manifest.get("strategy") or {}
    store.write_config(dump_config(start.config))
    store.update_manifest(
        model=start.source.name,
        base_model={
            "name": start.source.name,
            "sha256": start.source.sha256,
            "license": start.source.license,
            "provenance": start.source.provenance,
            "quantization": start.config.model.quantization,
        },
        seeds={"train.seed": start.config.train.seed, "data.split_seed": start.config.data.split_seed},
        data={
            split: {
                "source": table.source,
                "rows": len(table),
                "fingerprint": table.fingerprint,
                "lineage": [asdict(step) for step in table.lineage],
            }
            for split, table in rows.splits.items()
        },
        language={"code": rows.language.language, "share": rows.language.share},
        strategy={"name": start.strategy.name, "why": start.why or (known.get("why") or "")},
    )
    if start.teacher is not None:
        store.update_manifest(teacher=asdict(start.teacher))


def note_training(store: RunStore, trained: TrainedSeeds) -> None:
    """Record how training went."""
    store.update_manifest(
        examples_seen=trained.examples_seen, best_epoch=trained.best.best_epoch, validation_of_seeds=trained.as_dict()
    )


def save_and_reload(store: RunStore, start: Start, task: Task, prepared: Prepared, trained: TrainedSeeds) -> SavedModel:
    """Save the model, open it again, and record how far the two are apart.

    Raises:
        UserError: The disk is full, or the run is not writable.
        SupertuneError: What was saved is not what was trained.
    """
    cleaning = TextCleaning.of_lineage(OPERATORS, prepared.rows.splits["train"].lineage)
    save_model(trained.best.model, start, task, store.model_folder, cleaning)
    saved, features = open_saved(store.model_folder), prepared.features
    held_out = features.get("validation") or features.get("test") or features["train"]
    store.update_manifest(reload_check=reload_check(trained.best.model, saved, held_out))
    return saved


def write_predictions(store: RunStore, answerer: Answerer, measured: Measurement, start: Start) -> None:
    """One file per held-out split; if so configured without the texts, and what was cut out of them beside answers."""
    for split, held in measured.held.items():
        predictions, without = (held.predictions, ()) if start.config.evaluate.text else answerer.without_texts(held)
        rows = zip(held.table.rows(), held.table.row_ids, predictions, strict=True)
        store.write_predictions(
            split, (prediction_row(row, int(number), prediction, without=without) for row, number, prediction in rows)
        )


def write_rivals(store: RunStore, answerer: Answerer, measured: Measurement, start: Start) -> None:
    """A file for each baseline that wrote texts, ``predictions/<split>_<baseline>.jsonl``, for the rows that it wrote.

    They have the names that their scores have in metrics.json.
    """
    if measured.writings is None:
        return
    held, writings = measured.final, measured.writings
    table = held.table.select(writings.rows, step="written")
    _, without = (None, ()) if start.config.evaluate.text else answerer.without_texts(held)
    for baseline, outcome in writings.others.items():
        assert outcome.ended is not None
        likely = writings.likely.get(baseline)
        costs: Sequence[Mapping[str, float]] = [{}] * len(outcome) if likely is None else row_likelihoods(likely)
        told = zip(outcome.outputs, outcome.ended, costs, strict=True)
        predictions = (
            Prediction(row, text, more={"ended": ended, **cost}) for row, (text, ended, cost) in enumerate(told)
        )
        rows = zip(table.rows(), table.row_ids, predictions, strict=True)
        store.write_predictions(
            f"{measured.final_split}_{baseline}",
            (prediction_row(row, int(number), prediction, without=without) for row, number, prediction in rows),
        )
