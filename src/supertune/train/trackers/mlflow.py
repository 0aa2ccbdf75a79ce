"""MLflow: a run in the tracking store that MLflow itself would use."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from supertune.errors import UserError
from supertune.files import read_json, write_json
from supertune.train.trackers.tracker import TrackedRun, TrackerError

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

EXPERIMENT = "supertune"
"""Experiment of the runs, unless ``MLFLOW_EXPERIMENT_NAME`` names another."""

_RUNS = "mlflow.json"
_SECONDS = 10.0
_BATCH = 500
_LONGEST = 6000
_STATUS = {"done": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflow:
    """Tracker: one MLflow run for each seed, with the configuration as parameters.

    They go where MLflow's own settings say: ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the working directory.
    ``RUN/mlflow.json`` remembers the runs' ids, so that a resumed training goes on in the same ones; MLflow cannot take
    values back, so those that were sent before an interruption stand, and are not sent again. Values are sent every ten
    seconds: a process that is killed takes the last of them with it.
    """

    def __init__(self, run: TrackedRun) -> None:
        self._run = run
        self._client: MlflowClient | None = None
        self._id = ""
        self._sent: dict[str, int] = {}
        self._waiting: list[Metric] = []
        self._flushed = time.monotonic()

    def begin(self, part: str, resumed: int | None) -> None:
        """Create an MLflow run, or open the one that was interrupted; see `Tracker.begin`."""
        if self._client is not None:
            self.end("done")
        self._sent.clear()
        with _explained():
            self._client = self._client or _client()
            known = self._known()
            store = f"{self._client.tracking_uri} {part}".strip()
            old = _open_run(self._client, known.get(store))
            if old and resumed is not None:
                self._client.update_run(old, status="RUNNING")
                self._id = old
                return
            if old:
                # It was killed before its first checkpoint, and could not say so itself.
                self._client.set_terminated(old, "KILLED")
            self._id = self._create(self._client, part)
            write_json(self._remembered, {**known, store: self._id})

    def _create(self, client: MlflowClient, part: str) -> str:
        from mlflow.entities import Param

        name = f"{self._run.folder.name} {part}".strip()
        run = client.create_run(_experiment(client), run_name=name, tags=dict(self._run.tags))
        params = [Param(key, str(value)[:_LONGEST]) for key, value in self._run.config.items()]
        for start in range(0, len(params), 100):
            client.log_batch(run.info.run_id, params=params[start : start + 100])
        return str(run.info.run_id)

    @property
    def _remembered(self) -> Path:
        return self._run.folder / _RUNS

    def _known(self) -> dict[str, str]:
        return dict(read_json(self._remembered)) if self._remembered.exists() else {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Send values, together with others; see `Tracker.log`."""
        from mlflow.entities import Metric

        if self._client is None:
            return
        now = int(time.time() * 1000)
        self._waiting += [
            Metric(name, value, now, step) for name, value in values.items() if step > self._last(self._client, name)
        ]
        if len(self._waiting) >= _BATCH or time.monotonic() - self._flushed > _SECONDS:
            self.flush()

    def _last(self, client: MlflowClient, name: str) -> int:
        """The last step whose value was sent before training was interrupted; -1 for none."""
        if name not in self._sent:
            with _explained():
                self._sent[name] = max(
                    (metric.step for metric in client.get_metric_history(self._id, name)), default=-1
                )
        return self._sent[name]

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, []
        self._flushed = time.monotonic()
        if self._client is not None and waiting:
            with _explained():
                self._client.log_batch(self._id, metrics=waiting)

    def end(self, status: str) -> None:
        """Close the MLflow run with the status that says the same."""
        if self._client is None or not self._id:
            return
        try:
            self.flush()
        finally:
            ended, self._id = self._id, ""
            with _explained():
                self._client.set_terminated(ended, _STATUS[status])


def _client() -> MlflowClient:
    # Nothing of a run is anybody else's business: MLflow would report its use by default.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow.MlflowClient()


def _open_run(client: MlflowClient, run: str | None) -> str | None:
    """The run's id if it is still there."""
    from mlflow.exceptions import MlflowException

    try:
        return run if run and client.get_run(run).info.lifecycle_stage == "active" else None
    except MlflowException:
        return None


def _experiment(client: MlflowClient) -> str:
    from mlflow.exceptions import MlflowException

    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    if found := client.get_experiment_by_name(name):
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:
        # Another run may have made it a moment ago; otherwise the error is worth its own words.
        if found := client.get_experiment_by_name(name):
            return str(found.experiment_id)
        raise


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, UserError, OSError) as error:
        raise TrackerError(str(error)) from error
