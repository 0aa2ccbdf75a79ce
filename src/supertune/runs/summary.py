"""Runs at a glance, for lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from supertune.contracts import Score
from supertune.errors import UserError
from supertune.files import explained
from supertune.runs.manifest import MANIFEST, Status
from supertune.runs.store import CONFIG, METRICS, RunStore, open_run


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs.

    Attributes:
        path: The run's folder.
        status: As in the manifest; ``broken`` for a run that cannot be opened.
        task: The task's name.
        model: What was fine-tuned, as the manifest's ``model`` says.
        created: When it began, ISO 8601 in UTC.
        metric: Name of the primary metric, e.g. ``f1_macro``.
        score: Its value on the split that the manifest's ``primary`` names.
        seconds: How long it took.
        problem: Why the run is broken.
    """

    path: Path
    status: Status | Literal["broken"]
    task: str | None = None
    model: str | None = None
    created: str | None = None
    metric: str | None = None
    score: Score | None = None
    seconds: float | None = None
    problem: str | None = None


def summarize(store: RunStore) -> RunSummary:
    """The run at a glance.

    Raises:
        UserError: Its metrics are damaged.
    """
    manifest = store.manifest
    primary = manifest["primary"] or {}
    metric = primary.get("metric")
    scores = store.read_metrics() if metric and (store.path / METRICS).exists() else {}
    return RunSummary(
        path=store.path,
        status=store.status,
        task=manifest["task"],
        model=manifest["model"],
        created=manifest["created"],
        metric=metric,
        score=scores.get(primary.get("split", ""), {}).get(metric or ""),
        seconds=manifest["seconds"],
    )


def list_runs(folder: Path) -> list[RunSummary]:
    """Every run directly inside ``folder``, the newest first; broken ones are last and say what is wrong.

    Raises:
        UserError: ``folder`` is not a folder that can be read.
    """
    with explained(folder):
        candidates = [path for path in sorted(folder.iterdir()) if _looks_like_run(path)]
    summaries = [_summary_or_problem(path) for path in candidates]
    return sorted(summaries, key=lambda summary: summary.created or "", reverse=True)


def _looks_like_run(path: Path) -> bool:
    try:
        return (path / MANIFEST).exists() or (path / CONFIG).exists()
    except PermissionError:
        # Which of the folders that cannot be entered are runs is not ours to know; say so rather than hide one.
        return path.is_dir()


def _summary_or_problem(path: Path) -> RunSummary:
    try:
        return summarize(open_run(path))
    except UserError as error:
        return RunSummary(path=path, status="broken", problem=error.message)
