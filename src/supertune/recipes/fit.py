"""Fine-tune a model: the table of contents of a training run."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from supertune.config import Config, dump_config
from supertune.console import Console
from supertune.contracts import Event
from supertune.errors import GateError, InterruptedRunError, UserError
from supertune.files import explained
from supertune.recipes.check import check_allowed, check_metric, gate
from supertune.recipes.encode import encode_splits, fitted_task, gate_input, labelled_only
from supertune.recipes.measure import Measurement, measure
from supertune.recipes.predict import show_scores
from supertune.recipes.rows import LoadedRows, load_rows
from supertune.recipes.run import Run
from supertune.recipes.saved import open_saved, reload_check, save_model
from supertune.recipes.start import Start, prepare_start
from supertune.recipes.story import Story, write_story
from supertune.recipes.train_one import train_one
from supertune.runs import RunStore, Status, create_run, prediction_row


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
    existed = False
    if out is not None:
        with explained(out):
            existed = out.exists()
    store = create_run(out, task=config.task.name, command=list(command or sys.argv), config_yaml=dump_config(config))
    clock = Clock()
    with recorded(store, existed):
        console.heading("Data")
        rows = load_rows(config, data, console)
        clock.lap("read")
        console.heading("Model")
        start = prepare_start(config, rows, console)
        task = fitted_task(start, rows)
        features = encode_splits(start, task, rows, console)
        write_start(store, start, rows)
        clock.lap("encode")
        console.heading("Gate")
        report, stopping = gate(gate_input(start, rows, features), config.data.allow, console)
        store.write_gate(report.rows, report.findings)
        if stopping:
            raise GateError(stopping, report=str(store.path / "gate.json"))
        console.heading(f"Training, {start.config.train.epochs} epochs")
        trained = train_one(
            start,
            task,
            labelled_only(features),
            checkpoint=store.checkpoints_folder / "best.safetensors",
            record=store.append_event,
            console=console,
        )
        store.update_manifest(examples_seen=trained.examples_seen, best_epoch=trained.best_epoch)
        clock.lap("train")
        save_model(trained.model, start, task, store.model_folder)
        saved = open_saved(store.model_folder)
        held_out = features.get("validation") or features.get("test") or features["train"]
        store.update_manifest(reload_check=reload_check(trained.model, saved, held_out))
        shutil.rmtree(store.checkpoints_folder, ignore_errors=True)
        clock.lap("save")
        console.heading("Measuring")
        measured = measure(saved, rows, features, start.config, console)
        store.write_metrics(measured.scores)
        write_predictions(store, measured, start)
        clock.lap("measure")
        store.append_event(Event("done", trained.steps, {"examples_seen": trained.examples_seen}))
        store.update_manifest(
            primary={"split": measured.final_split, "metric": task.primary_metric}, timings=clock.laps
        )
        verdict = write_story(Story(store, start, task, rows, features, report, trained, measured))
        store.finish("done")
    show_scores(console, measured.scores[measured.final_split], task.headline)
    console.say(verdict)
    console.say(f"\nreport: {store.path / 'report.html'}\nmodel:  {store.model_folder}")
    return Run(store)


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
def recorded(store: RunStore, existed: bool) -> Iterator[None]:
    """Leave the run in a state that says what became of it, whatever happens in the block.

    A mistake that shows before training has begun leaves no folder behind: there is nothing in it to keep.
    """
    try:
        yield
    except UserError:
        begun = (store.path / "events.jsonl").exists()
        if begun:
            _finish_if_possible(store, "failed")
        else:
            _remove(store.path, existed)
        raise
    except KeyboardInterrupt as interruption:
        _finish_if_possible(store, "interrupted")
        raise InterruptedRunError(f"interrupted; what was done so far is in {store.path}") from interruption
    except BaseException:
        _finish_if_possible(store, "failed")
        raise


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
    """Record everything that decides the outcome, before training begins."""
    store.write_config(dump_config(start.config))
    store.update_manifest(
        model=start.source.name,
        base_model={
            "name": start.source.name,
            "sha256": start.source.sha256,
            "license": start.source.license,
            "provenance": start.source.provenance,
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
    )


def write_predictions(store: RunStore, measured: Measurement, start: Start) -> None:
    """One file per held-out split; without the texts if the configuration says so."""
    without = () if start.config.evaluate.text else tuple(start.config.data.text or ())
    for split, answers in measured.held.items():
        rows = zip(answers.table.rows(), answers.table.row_ids, answers.predictions, strict=True)
        store.write_predictions(
            split, (prediction_row(row, int(number), prediction, without=without) for row, number, prediction in rows)
        )
