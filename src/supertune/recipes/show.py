"""What has been trained: one run, or a folder of them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.console import Console
from supertune.contracts import Score
from supertune.runs import RunSummary, interval_text, open_run, score_text, summarize, value_text
from supertune.runs import list_runs as runs_in_folder


@dataclass(frozen=True)
class RunListing:
    """The runs of a folder, the newest first."""

    folder: Path
    runs: tuple[RunSummary, ...]

    def as_dict(self) -> dict[str, object]:
        """The shape of ``runs --json``."""
        return {"runs": [_summary_dict(run) for run in self.runs]}

    def print(self, console: Console) -> None:
        """Show them as a table."""
        if not self.runs:
            console.say(f"no runs in {self.folder}")
            return
        console.table(
            ("run", "status", "task", "model", "score and 95 % interval", "took"),
            [
                (
                    run.path.name,
                    run.status,
                    run.task or "",
                    run.model or "",
                    f"{run.metric} {score_text(run.score)}" if run.score and run.metric else run.problem or "",
                    f"{run.seconds:.0f} s" if run.seconds is not None else "",
                )
                for run in self.runs
            ],
            right=(5,),
        )


@dataclass(frozen=True)
class ShownRun:
    """One run with its scores and the state of its files."""

    summary: RunSummary
    metrics: dict[str, dict[str, Score]]
    problems: tuple[str, ...]
    report: Path | None

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``show --json``."""
        return {
            **_summary_dict(self.summary),
            "metrics": {
                split: {name: s.as_dict() for name, s in scores.items()} for split, scores in self.metrics.items()
            },
            "problems": list(self.problems),
            "report": str(self.report) if self.report else None,
        }

    def print(self, console: Console) -> None:
        """Show it as tables."""
        run = self.summary
        console.say(f"{run.path}: {run.status}, {run.task}, {run.model}, {run.created}")
        for split, scores in self.metrics.items():
            overall = {name: score for name, score in scores.items() if "/" not in name}
            console.heading(f"{split} ({max(score.n for score in overall.values()):,} rows)" if overall else split)
            console.table(
                ("metric", "value", "95 % interval"),
                [(name, value_text(score), interval_text(score)) for name, score in overall.items()],
                right=(1,),
            )
        if self.report:
            console.say(f"report: {self.report}")
        if run.status == "running":
            console.say(f"to see how training goes: supertune show {shlex.quote(str(run.path))} --watch")
        for problem in self.problems:
            console.warn(problem)


def _summary_dict(run: RunSummary) -> dict[str, object]:
    return {
        "run": str(run.path),
        "status": run.status,
        "task": run.task,
        "model": run.model,
        "created": run.created,
        "seconds": run.seconds,
        "primary": {"metric": run.metric, **run.score.as_dict()} if run.score else None,
        "problem": run.problem,
    }


def list_runs(folder: Path) -> RunListing:
    """Every run directly inside ``folder``.

    Raises:
        UserError: ``folder`` cannot be read.
    """
    return RunListing(folder, tuple(runs_in_folder(folder)))


def show_run(path: Path) -> ShownRun:
    """One run, its files held against the manifest.

    Raises:
        UserError: There is no such run, or it is damaged beyond reading.
    """
    store = open_run(path)
    metrics = store.read_metrics() if (store.path / "metrics.json").exists() else {}
    report = store.path / "report.html"
    return ShownRun(summarize(store), metrics, tuple(store.verify()), report if report.exists() else None)
