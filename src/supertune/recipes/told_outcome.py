"""What a finished run said about its test rows, read from its files: no model is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Outcome, Task, label_names
from supertune.data import Table
from supertune.errors import UserError
from supertune.files import read_jsonl
from supertune.recipes.saved import saved_task
from supertune.runs import added_value, open_run
from supertune.tasks import label_text

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """The labelled rows of a run's final split, and what the run said about them.

    Attributes:
        name: The run, for tables.
        path: The run directory.
        fingerprint: Of the rows, as the run read them.
        task: What was learned, fitted to the training rows.
        primary: The metric that the run is judged by.
        lines: One for each row: its columns and what was said.
        outcome: The same as arrays.
    """

    name: str
    path: Path
    fingerprint: str
    task: Task
    primary: str
    lines: tuple[Line, ...]
    outcome: Outcome

    @property
    def columns(self) -> Columns:
        """Which columns are texts and labels."""
        return self.task.columns


def told_outcome(run: Path) -> Told:
    """Read it.

    Raises:
        UserError: The run is not finished, a file is missing or damaged, or its answers are neither labels nor numbers.
    """
    store = open_run(run)
    if store.status != "done":
        raise UserError(f"is {store.status}", where=str(run), fix=f"supertune resume {run}")
    task = saved_task(store.require("model"))
    if task.answers not in _OUTCOMES:
        raise UserError(
            f"answers with {task.answers}; what is compared are labels, sets of labels and numbers",
            where=str(run),
            fix="compare the scores and intervals in the two reports",
        )
    split = str(store.manifest["primary"]["split"])
    lines = tuple(read_jsonl(store.require(f"predictions/{split}.jsonl")))
    try:
        kept, outcome = _OUTCOMES[task.answers](task, lines)
    except (KeyError, TypeError, ValueError) as error:
        where = f"{run}/predictions/{split}.jsonl"
        raise UserError("does not hold what the model says", where=where, fix="restore the file") from error
    return Told(
        name=store.path.name,
        path=store.path,
        fingerprint=str(store.manifest["data"][split]["fingerprint"]),
        task=task,
        primary=str(store.manifest["primary"]["metric"]),
        lines=tuple(lines[row] for row in np.flatnonzero(kept)),
        outcome=outcome,
    )


def _labels_of(task: Task, lines: Sequence[Line]) -> NDArray[Any]:
    """What is to be learned of each row, as the task counts it."""
    rows = Table.from_rows([{name: line[name] for name in task.columns.labels} for line in lines])
    return np.asarray(task.targets(rows)["labels"])


def _probabilities(task: Task, lines: Sequence[Line]) -> NDArray[np.float64]:
    names = label_names(task)
    scores = [added_value("scores", line) for line in lines]
    return np.array([[each[name] for name in names] for each in scores], np.float64).reshape(len(lines), len(names))


def _classes(task: Task, lines: Sequence[Line]) -> tuple[NDArray[Any], Outcome]:
    truth, said = _labels_of(task, lines), _probabilities(task, lines)
    kept = np.asarray(truth >= 0)
    return kept, Outcome(truth[kept], said[kept], tuple(label_names(task)))


def _sets(task: Task, lines: Sequence[Line]) -> tuple[NDArray[Any], Outcome]:
    truth, said, names = _labels_of(task, lines), _probabilities(task, lines), tuple(label_names(task))
    answers = [set(map(label_text, added_value("prediction", line))) for line in lines]
    given = np.array([[name in each for name in names] for each in answers], bool).reshape(len(lines), len(names))
    kept = np.asarray((truth >= 0).all(axis=1))
    return kept, Outcome(truth[kept] == 1, said[kept], names, "sets", given=given[kept])


def _numbers(task: Task, lines: Sequence[Line]) -> tuple[NDArray[Any], Outcome]:
    names = task.columns.labels
    truth = np.array([[_number(line[name]) for name in names] for line in lines], np.float64)
    said = np.array([[_said(line, name, names) for name in names] for line in lines], np.float64)
    kept = np.asarray(np.isfinite(truth).all(axis=1))
    # Whether they are ratings changes no metric that is compared here: all are of the exact answers.
    return kept, Outcome(truth[kept], said[kept], names, "numbers", ratings=(None,) * len(names))


def _number(value: object) -> float:
    return float("nan") if value is None else float(value)  # type: ignore[arg-type]


def _said(line: Line, name: str, names: Sequence[str]) -> float:
    """The exact answer: ratings are told exactly beside what they are rounded to."""
    exact = added_value("scores", line, None)
    if exact and name in exact:
        return float(exact[name])
    answer = added_value("prediction", line)
    return float(answer[name] if len(names) > 1 else answer)


_OUTCOMES: Mapping[str, Callable[[Task, Sequence[Line]], tuple[NDArray[Any], Outcome]]] = {
    "classes": _classes,
    "sets": _sets,
    "numbers": _numbers,
}
