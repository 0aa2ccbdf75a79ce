"""TensorBoard and MLflow hold what was measured, once, also after interruptions; read back with their own readers."""

from __future__ import annotations

import builtins
import importlib.util
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from event_samples import training_rows
from supertune.contracts import Event, Score
from supertune.errors import MissingExtraError, UserError
from supertune.train.trackers import TrackedRun, TrackerError, Tracking, check_trackers
from supertune.train.trackers import tracking as tracking_module

CONFIG = {"train.epochs": 2, "train.batch_size": 16, "data.source": "数据.csv", "data.text": ["title", "body"]}
SCORES = {"test": {"accuracy": Score(0.75, 0.7, 0.8, 9, "accuracy"), "f1/好 1": Score(0.5, 0.4, 0.6, 9, "f1")}}

tensorboard = pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="no TensorBoard here")
mlflow = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="no MLflow here")
# MLflow is not yet adapted to SQLAlchemy 2.1.
noisy = pytest.mark.filterwarnings("ignore:The ``noload``")


def events(rows: Iterable[Mapping[str, Any]]) -> list[Event]:
    fixed = ("time", "step", "event")
    return [Event(row["event"], row["step"], {k: v for k, v in row.items() if k not in fixed}) for row in rows]


def again(seed: int) -> list[Event]:
    return [Event("start", 0, {"seed": seed})]


def training(**changes: int) -> list[Event]:
    return events(training_rows(**changes))


@pytest.fixture
def run(tmp_path: Path) -> TrackedRun:
    folder = tmp_path / "my run 一"
    folder.mkdir()
    return TrackedRun(folder, CONFIG, {"supertune.version": "0.1.0"})


def send(tracking: Tracking, said: Iterable[Event]) -> None:
    for event in said:
        assert list(tracking(event)) == []


class Notes:
    """A tracker that only notes; fails when told."""

    def __init__(self, run: TrackedRun) -> None:
        self.begun: list[tuple[str, int | None]] = []
        self.values: list[tuple[str, int, dict[str, float]]] = []
        self.ended: list[str] = []
        self.fail = ""

    def begin(self, part: str, resumed: int | None) -> None:
        self._perhaps("begin")
        self.begun.append((part, resumed))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._perhaps("log")
        self.values.append((self.begun[-1][0], step, dict(values)))

    def flush(self) -> None:
        self._perhaps("flush")

    def end(self, status: str) -> None:
        self.ended.append(status)

    def _perhaps(self, what: str) -> None:
        if self.fail == what:
            raise TrackerError(f"{what}: no space left")

    def named(self, name: str) -> dict[int, float]:
        return {step: values[name] for _, step, values in self.values if name in values}


@pytest.fixture
def notes(run: TrackedRun, monkeypatch: pytest.MonkeyPatch) -> Notes:
    noted = Notes(run)
    monkeypatch.setitem(tracking_module.TRACKERS, "notes", lambda _: noted)  # type: ignore[arg-type]
    return noted


class TestTracking:
    def test_every_step_of_a_short_training_and_all_scores(self, run: TrackedRun, notes: Notes) -> None:
        with Tracking(["notes"], run, pytest.fail) as tracking:
            send(tracking, training(epochs=2, steps_per_epoch=3))
            tracking.results(SCORES)
        assert notes.begun == [("", None)]
        losses = {e.step: e.values["loss"] for e in training(epochs=2, steps_per_epoch=3) if e.event == "step"}
        assert notes.named("train/loss") == pytest.approx(losses)
        assert notes.named("train/epoch_loss") == {3: 1.0, 6: 0.5}
        assert notes.named("validation/f1_macro") == {3: 0.25, 6: 0.375}
        assert notes.named("validation/log_loss") == {3: 0.5, 6: 0.25}
        assert notes.named("final/test/accuracy") == {6: 0.75}
        assert not any(name.split("/")[-1] == "epoch" or "好" in name for *_, values in notes.values for name in values)
        assert notes.ended == ["done"]

    def test_a_long_training_has_about_a_thousand_points_each_the_mean_of_its_steps(
        self, run: TrackedRun, notes: Notes
    ) -> None:
        with Tracking(["notes"], run, pytest.fail) as tracking:
            said = training(epochs=1, steps_per_epoch=4500)
            send(tracking, said)
        losses = notes.named("train/loss")
        assert len(losses) == 900
        assert losses[10] == pytest.approx(sum(event.values["loss"] for event in said[6:11]) / 5)

    def test_each_seed_is_a_part_and_the_results_belong_to_the_one_that_was_kept(
        self, run: TrackedRun, notes: Notes
    ) -> None:
        with Tracking(["notes"], run, pytest.fail) as tracking:
            for seed in (4, 5):
                send(tracking, [Event("start", 0, {"steps": 2, "seed": seed}), Event("step", 1, {"loss": 1.0})])
            tracking.results(SCORES, seed=4)
        assert notes.begun == [("seed-4", None), ("seed-5", None), ("seed-4", 1)]
        assert notes.values[-1] == ("seed-4", 1, {"final/test/accuracy": 0.75})

    def test_a_restart_leaves_the_degenerate_curves_where_they_are(self, run: TrackedRun, notes: Notes) -> None:
        with Tracking(["notes"], run, pytest.fail) as tracking:
            send(
                tracking, [*again(0), Event("restart", 9, {"to_seed": 1}), *again(1), Event("epoch", 3, {"loss": 1.0})]
            )
        assert notes.begun == [("seed-0", None), ("seed-1", None)]
        assert notes.values == [("seed-1", 3, {"train/epoch_loss": 1.0})]

    def test_a_resumed_training_opens_where_it_was(self, run: TrackedRun, notes: Notes) -> None:
        with Tracking(["notes"], run, pytest.fail) as tracking:
            send(tracking, [Event("resumed", 20, {"seed": 3}), Event("resumed", 7, {"seed": 4})])
            send(tracking, [Event("epoch", 8, {"loss": 1.0})])
        assert notes.begun == [("seed-3", 20), ("seed-4", 7)]

    def test_values_that_are_not_finite_are_left_out(self, run: TrackedRun, notes: Notes) -> None:
        with Tracking(["notes"], run, pytest.fail) as tracking:
            send(tracking, [Event("start", 0), Event("validation", 1, {"epoch": 1, "auroc": float("nan"), "mcc": 0.5})])
        assert notes.values == [("", 1, {"validation/mcc": 0.5})]

    def test_a_tracker_that_cannot_be_opened_stops_before_the_first_step(self, run: TrackedRun, notes: Notes) -> None:
        notes.fail = "begin"
        tracking = Tracking(["notes"], run, pytest.fail)
        with pytest.raises(UserError, match="notes cannot be used: begin: no space left"):
            send(tracking, [Event("start", 0)])

    @pytest.mark.parametrize("moment", ["log", "flush"])
    def test_a_tracker_that_fails_later_is_given_up_and_training_goes_on(
        self, run: TrackedRun, notes: Notes, moment: str
    ) -> None:
        said: list[str] = []
        with Tracking(["notes"], run, said.append) as tracking:
            send(tracking, training(epochs=1)[:1])
            notes.fail = moment
            send(tracking, training(epochs=2)[1:])
            tracking.results(SCORES)
        assert len(said) == 1
        assert "notes gets no more values, training goes on" in said[0]

    @pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), "interrupted"), (UserError("x"), "failed")])
    def test_it_is_told_how_the_run_ended(
        self, run: TrackedRun, notes: Notes, error: BaseException, status: str
    ) -> None:
        with pytest.raises(type(error)), Tracking(["notes"], run, pytest.fail):
            raise error
        assert notes.ended == [status]


class TestPackages:
    @pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
    def test_a_missing_package_names_its_extra(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        found = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda one, *rest: None if one == name else found(one, *rest))
        with pytest.raises(MissingExtraError) as caught:
            check_trackers([name])
        assert f"pip install 'supertune[{name}]'" in str(caught.value)
        assert "train.trackers" in str(caught.value)

    def test_a_server_needs_no_database_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda one, *_: object() if one == "mlflow" else None)
        with pytest.raises(MissingExtraError, match="sqlalchemy"):
            check_trackers(["mlflow"])
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
        check_trackers(["mlflow"])

    def test_nothing_heavy_is_imported_before_it_is_needed(
        self, run: TrackedRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = builtins.__import__

        def watched(name: str, *rest: Any, **more: Any) -> Any:
            assert name.partition(".")[0] not in ("mlflow", "tensorboard", "torch"), name
            return real(name, *rest, **more)

        monkeypatch.setattr(builtins, "__import__", watched)
        Tracking(["tensorboard", "mlflow"], run, pytest.fail)


@tensorboard
class TestTensorBoard:
    def read(self, folder: Path) -> Any:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        return EventAccumulator(str(folder), {"scalars": 0, "tensors": 0}).Reload()

    def scalars(self, folder: Path, name: str) -> dict[int, float]:
        return {point.step: point.value for point in self.read(folder).Scalars(name)}

    def test_scalars_and_configuration_can_be_read_back(self, run: TrackedRun) -> None:
        with Tracking(["tensorboard"], run, pytest.fail) as tracking:
            send(tracking, training(epochs=2, steps_per_epoch=3))
            tracking.results(SCORES)
        folder = run.folder / "tensorboard"
        losses = {e.step: e.values["loss"] for e in training(epochs=2, steps_per_epoch=3) if e.event == "step"}
        assert self.scalars(folder, "train/loss") == pytest.approx(losses)
        assert self.scalars(folder, "validation/f1_macro") == {3: 0.25, 6: 0.375}
        assert self.scalars(folder, "final/test/accuracy") == {6: 0.75}
        (text,) = self.read(folder).Tensors("config/text_summary")
        assert '"train.batch_size": 16' in text.tensor_proto.string_val[0].decode()
        assert "数据.csv" in text.tensor_proto.string_val[0].decode()

    def test_what_was_overtaken_is_taken_back(self, run: TrackedRun) -> None:
        with Tracking(["tensorboard"], run, pytest.fail) as tracking:
            send(tracking, training(epochs=2, steps_per_epoch=5))
        with Tracking(["tensorboard"], run, pytest.fail) as tracking:
            send(tracking, [Event("resumed", 4, {"steps": 10}), Event("step", 5, {"loss": 9.0})])
        losses = self.scalars(run.folder / "tensorboard", "train/loss")
        assert sorted(losses) == [1, 2, 3, 4, 5]
        assert losses[5] == 9.0
        assert self.scalars(run.folder / "tensorboard", "train/epoch_loss") == {}

    def test_a_training_that_begins_from_nothing_takes_everything_back(self, run: TrackedRun) -> None:
        for loss in (1.0, 2.0):
            with Tracking(["tensorboard"], run, pytest.fail) as tracking:
                steps = range(1, int(5 / loss))
                send(tracking, [Event("start", 0, {"steps": 9}), *(Event("step", at, {"loss": loss}) for at in steps)])
        assert self.scalars(run.folder / "tensorboard", "train/loss") == {1: 2.0}

    def test_seeds_are_folders(self, run: TrackedRun) -> None:
        with Tracking(["tensorboard"], run, pytest.fail) as tracking:
            for seed in (1, 2):
                send(tracking, [Event("start", 0, {"steps": 1, "seed": seed}), Event("step", 1, {"loss": float(seed)})])
        for seed in (1, 2):
            assert self.scalars(run.folder / "tensorboard" / f"seed-{seed}", "train/loss") == {1: float(seed)}

    def test_a_place_that_cannot_be_written_is_an_error_before_the_first_step(self, run: TrackedRun) -> None:
        (run.folder / "tensorboard").write_text("a file")
        with pytest.raises(UserError, match="tensorboard cannot be used"):
            send(Tracking(["tensorboard"], run, pytest.fail), [Event("start", 0)])


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without runs: making one takes seconds, and every test needs its own."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    import mlflow

    mlflow.MlflowClient(f"sqlite:///{path}")
    return path


@mlflow
@noisy
class TestMLflow:
    @pytest.fixture(autouse=True)
    def store(self, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "my store 一.db"
        shutil.copy(empty_store, path)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)

    def runs(self) -> list[Any]:
        import mlflow

        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name("supertune")
        return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]))

    def history(self, run: Any, name: str) -> list[tuple[int, float]]:
        import mlflow

        return [(one.step, one.value) for one in mlflow.MlflowClient().get_metric_history(run.info.run_id, name)]

    def test_metrics_and_parameters_can_be_read_back(self, run: TrackedRun) -> None:
        with Tracking(["mlflow"], run, pytest.fail) as tracking:
            send(tracking, training(epochs=2, steps_per_epoch=3))
            tracking.results(SCORES)
        (stored,) = self.runs()
        assert (stored.info.run_name, stored.info.status) == ("my run 一", "FINISHED")
        assert stored.data.params["train.batch_size"] == "16"
        assert stored.data.params["data.source"] == "数据.csv"
        assert stored.data.tags["supertune.version"] == "0.1.0"
        assert stored.data.metrics["final/test/accuracy"] == 0.75
        assert self.history(stored, "validation/f1_macro") == [(3, 0.25), (6, 0.375)]
        losses = [(e.step, e.values["loss"]) for e in training(epochs=2, steps_per_epoch=3) if e.event == "step"]
        assert self.history(stored, "train/loss") == losses

    def test_a_resumed_training_goes_on_in_the_same_run_and_sends_nothing_twice(self, run: TrackedRun) -> None:
        def interrupted() -> None:
            with Tracking(["mlflow"], run, pytest.fail) as tracking:
                send(tracking, training(epochs=1, steps_per_epoch=4, planned=2))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert [one.info.status for one in self.runs()] == ["KILLED"]
        with Tracking(["mlflow"], run, pytest.fail) as tracking:
            send(tracking, [Event("resumed", 2, {"steps": 8}), *training(epochs=2, steps_per_epoch=4)[3:]])
            tracking.results(SCORES)
        (stored,) = self.runs()
        assert stored.info.status == "FINISHED"
        assert [step for step, _ in self.history(stored, "train/loss")] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert [step for step, _ in self.history(stored, "validation/log_loss")] == [4, 8]
        assert stored.data.metrics["final/test/accuracy"] == 0.75

    def test_a_run_that_was_removed_meanwhile_is_made_anew(self, run: TrackedRun) -> None:
        import mlflow

        with Tracking(["mlflow"], run, pytest.fail) as tracking:
            send(tracking, training(epochs=1))
        mlflow.MlflowClient().delete_run(self.runs()[0].info.run_id)
        with Tracking(["mlflow"], run, pytest.fail) as tracking:
            send(tracking, [Event("resumed", 2), Event("step", 3, {"loss": 1.0})])
        assert len(self.runs()) == 1

    def test_a_run_that_was_killed_before_its_first_checkpoint_is_closed(self, run: TrackedRun) -> None:
        killed = Tracking(["mlflow"], run, pytest.fail)
        send(killed, training(epochs=1)[:5])
        with Tracking(["mlflow"], run, pytest.fail) as tracking:
            send(tracking, training(epochs=1))
        assert [one.info.status for one in self.runs()] == ["KILLED", "FINISHED"]

    def test_seeds_are_runs_of_their_own(self, run: TrackedRun) -> None:
        with Tracking(["mlflow"], run, pytest.fail) as tracking:
            for seed in (1, 2):
                send(tracking, [Event("start", 0, {"steps": 1, "seed": seed}), Event("step", 1, {"loss": float(seed)})])
            tracking.results(SCORES, seed=1)
        first, second = self.runs()
        assert (first.info.run_name, second.info.run_name) == ("my run 一 seed-1", "my run 一 seed-2")
        assert first.data.metrics["train/loss"] == 1.0
        assert first.data.metrics["final/test/accuracy"] == 0.75
        assert "final/test/accuracy" not in second.data.metrics

    def test_a_store_that_cannot_be_opened_is_an_error_before_the_first_step(
        self, run: TrackedRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
        monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
        with pytest.raises(UserError, match="mlflow cannot be used"):
            send(Tracking(["mlflow"], run, pytest.fail), [Event("start", 0)])

    def test_nothing_is_reported_to_others(self, run: TrackedRun) -> None:
        with Tracking(["mlflow"], run, pytest.fail) as tracking:
            send(tracking, [Event("start", 0)])
        from mlflow.telemetry.utils import is_telemetry_disabled

        assert is_telemetry_disabled()
        assert "mlflow" in sys.modules
