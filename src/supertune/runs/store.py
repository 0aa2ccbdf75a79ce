"""The run directory: everything needed to trust, repeat or continue a run, whole at every moment."""

from __future__ import annotations

import contextlib
import datetime
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from supertune.contracts import Event, Finding, Score
from supertune.errors import UserError
from supertune.files import explained, read_json, write_json, write_jsonl, write_text
from supertune.runs.events import append_event, now, read_events
from supertune.runs.locate import missing_run
from supertune.runs.machine import process_is_gone, this_process
from supertune.runs.manifest import CHECKPOINTS, MANIFEST, Status, inventory, new_manifest, problems, read_manifest
from supertune.runs.values import json_value

CONFIG, EVENTS, METRICS, REPORT = "config.yaml", "events.jsonl", "metrics.json", "report.html"
GATE, ROWS = "gate.json", "rows.json"

_NOT_BY_HAND = frozenset({"format", "status", "files", "created", "started", "finished", "seconds", "process"})


class RunStore:
    """One run directory, opened by `create_run` or `open_run`.

    Every file is written whole or not at all, so that a crash or a full disk leaves what was complete before.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self._manifest = manifest

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest, to read; `update_manifest` and `finish` change it."""
        return self._manifest

    @property
    def status(self) -> Status:
        """How the run stands; a run whose process was killed is interrupted, whatever its manifest still says."""
        recorded: Status = self._manifest["status"]
        gone = recorded == "running" and process_is_gone(self._manifest.get("process"))
        return "interrupted" if gone else recorded

    @property
    def model_folder(self) -> Path:
        """Where the model goes; not created here."""
        return self.path / "model"

    @property
    def checkpoints_folder(self) -> Path:
        """Where checkpoints go; not created here."""
        return self.path / CHECKPOINTS

    def require(self, name: str) -> Path:
        """The path of a part of the run, e.g. ``model`` or ``metrics.json``, which must be there.

        Raises:
            UserError: It is not; says what the run's status has to do with it.
        """
        path = self.path / name
        if path.exists():
            return path
        status = self.status
        fix = (
            "the run ended well, so the file was removed later: restore it, or train again"
            if status == "done"
            else f"the run is {status}: wait for it"
            if status == "running"
            else f"the run {'failed' if status == 'failed' else 'was interrupted'} before it was written: "
            f"supertune resume {self.path}"
        )
        raise UserError(f"has no {name}", where=str(self.path), fix=fix)

    def update_manifest(self, **values: object) -> None:
        """Set keys of the manifest, atomically. Mappings are merged into the mapping that is already there.

        Status, files and times belong to `reopen` and `finish` and cannot be set.
        """
        if wrong := _NOT_BY_HAND & values.keys():
            raise ValueError(f"not to be set by hand: {', '.join(sorted(wrong))}")
        self._save({key: self._merged(key, json_value(value)) for key, value in values.items()})

    def _merged(self, key: str, value: object) -> object:
        present = self._manifest.get(key)
        return {**present, **value} if isinstance(present, dict) and isinstance(value, dict) else value

    def _save(self, changes: Mapping[str, Any]) -> None:
        manifest = {**self._manifest, **changes}
        write_json(self.path / MANIFEST, manifest)
        self._manifest = manifest

    def append_event(self, event: Event) -> None:
        """Add one line to events.jsonl: ``time`` (ISO 8601, UTC), ``step``, ``event``, and the event's values."""
        append_event(self.path / EVENTS, event)

    def events(self) -> list[dict[str, Any]]:
        """Every whole line of events.jsonl, in order."""
        return read_events(self.path / EVENTS)

    def write_metrics(self, metrics: Mapping[str, Mapping[str, Score]]) -> None:
        """Write metrics.json: split → metric → score. A value that could not be measured (NaN) becomes null."""
        stored = {split: {name: score.as_dict() for name, score in scores.items()} for split, scores in metrics.items()}
        write_json(self.path / METRICS, json_value(stored))

    def read_metrics(self) -> dict[str, dict[str, Score]]:
        """What `write_metrics` wrote.

        Raises:
            UserError: The file is missing or damaged.
        """
        path = self.require(METRICS)
        stored = read_json(path)
        try:
            return {
                split: {name: _score(values) for name, values in scores.items()} for split, scores in stored.items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError("does not hold scores", where=str(path), fix="restore the file") from error

    def write_predictions(self, split: str, rows: Iterable[Mapping[str, object]]) -> Path:
        """Write ``predictions/<split>.jsonl``, one line per row (see `prediction_row`); returns its path."""
        if not re.fullmatch(r"\w[\w.-]*", split):
            raise ValueError(f"not a name for a split: {split!r}")
        path = self.path / "predictions" / f"{split}.jsonl"
        write_jsonl(path, rows)
        return path

    def write_config(self, config_yaml: str) -> None:
        """Replace config.yaml, once what was chosen by measurement is known."""
        write_text(self.path / CONFIG, config_yaml)

    def write_gate(self, rows: int, findings: Sequence[Finding]) -> None:
        """Write gate.json: the whole report of the data gate, in the shape of ``supertune check --json``."""
        entries = [
            {
                "check": finding.check,
                "severity": finding.severity,
                "split": finding.split,
                "rows": finding.rows,
                "message": finding.message,
                "fix": finding.fix,
            }
            for finding in findings
        ]
        write_json(self.path / GATE, json_value({"rows": rows, "findings": entries}))

    def write_rows(self, became: Mapping[str, Mapping[str, object]]) -> None:
        """Write rows.json: split → which rows were cut, dropped or changed on their way to the model, and how many."""
        if became:
            write_json(self.path / ROWS, json_value(became))

    def write_report(self, html: str) -> Path:
        """Write report.html; returns its path."""
        write_text(self.path / REPORT, html)
        return self.path / REPORT

    def reopen(self) -> None:
        """Mark the run as running again, by this process, to continue it."""
        self._save({"status": "running", "started": now(), "finished": None, "files": {}, "process": this_process()})

    def finish(self, status: Status) -> None:
        """Say how the run ended and record SHA-256 and size of every file in it but checkpoints."""
        if status == "running":
            raise ValueError("a run cannot finish as running")
        finished = now()
        started = datetime.datetime.fromisoformat(self._manifest["started"])
        lasted = (datetime.datetime.fromisoformat(finished) - started).total_seconds()
        self._save(
            {
                "status": status,
                "finished": finished,
                "seconds": round((self._manifest["seconds"] or 0) + lasted, 3),
                "files": inventory(self.path),
            }
        )

    def verify(self) -> list[str]:
        """One sentence per file that is missing, cut short or changed since the run ended; empty when all is well."""
        if self._manifest["status"] == "running":
            return [f"{MANIFEST}: the run has not ended, so there is nothing to compare with"]
        with explained(self.path):
            return problems(self.path, self._manifest["files"])


def _score(stored: Mapping[str, Any]) -> Score:
    value, low, high = (float("nan") if stored[key] is None else float(stored[key]) for key in ("value", "low", "high"))
    return Score(value, low, high, int(stored["n"]), str(stored["signature"]), stored.get("warning"))


def create_run(out: Path | None, *, task: str, command: list[str], config_yaml: str) -> RunStore:
    """Begin a run: its folder, config.yaml and manifest.json exist when this returns.

    Args:
        out: Where; None for ``runs/<task>-<date>-<time>`` in the working directory, made unique.
        task: The task's name.
        command: The command line, one argument per item.
        config_yaml: The configuration as YAML text.

    Raises:
        UserError: ``out`` is a file or a folder that is not empty, or nothing can be written there. Then nothing
            is left behind.
    """
    with _claimed(out, task) as path:
        manifest = new_manifest(task, command)
        write_text(path / CONFIG, config_yaml)
        write_json(path / MANIFEST, manifest)
    return RunStore(path, manifest)


@contextlib.contextmanager
def _claimed(out: Path | None, task: str) -> Iterator[Path]:
    """A folder that belongs to this run alone; taken away again when the block fails."""
    path, created = _new_folder(task) if out is None else _given_folder(out)
    try:
        yield path
    except BaseException:
        if created:
            shutil.rmtree(path, ignore_errors=True)
        else:
            for name in (CONFIG, MANIFEST):
                (path / name).unlink(missing_ok=True)
        raise


def _new_folder(task: str) -> tuple[Path, bool]:
    stem = f"{task}-{datetime.datetime.now().astimezone():%Y-%m-%d-%H%M%S}"
    number = 1
    while True:
        path = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        with explained(path):
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                # Two runs began in the same second; making the folder is what decides who has the name.
                number += 1
                continue
        return path, True


def _given_folder(out: Path) -> tuple[Path, bool]:
    with explained(out):
        if out.is_dir():
            if any(out.iterdir()):
                raise UserError(
                    "exists and is not empty",
                    where=str(out),
                    fix="name a new folder with --out, or remove this one: a run never overwrites another",
                )
            return out, False
        try:
            out.mkdir(parents=True)
        except FileExistsError as error:
            raise UserError("is a file, not a folder", where=str(out), fix="name a new folder with --out") from error
    return out, True


def open_run(path: Path) -> RunStore:
    """Open a run that exists.

    Raises:
        UserError: There is no run here (with a suggestion where one is near), its manifest is damaged or from a
            newer supertune, or its configuration is missing.
    """
    with explained(path):
        if not (path / MANIFEST).is_file():
            raise missing_run(path)
    store = RunStore(path, read_manifest(path))
    store.require(CONFIG)
    return store
