"""What a cross-validation keeps on the disk: the score and the predictions of every fold that is done."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supertune.contracts import Score
from supertune.errors import UserError
from supertune.files import explained, read_json, read_jsonl, sha256_bytes, write_json, write_jsonl, write_text
from supertune.recipes.run import Run
from supertune.runs import added_value, free_name, versions

RECORD = "crossval.json"
METRICS = "metrics.json"
OUT_OF_FOLD = "out_of_fold"
"""Name of what was said about every row by a model that has not learned from it."""
FORMAT = 1


@dataclass(frozen=True)
class FoldDone:
    """One fold that was learned and asked about.

    Attributes:
        repeat: Which repetition, from 0 on.
        fold: Which fold of it, from 0 on.
        learned: Rows that were learned from, the validation rows among them.
        asked: Rows that were asked about.
        primary: The metric that it is judged by.
        metrics: Metric → score on the rows that were asked about, as metrics.json holds it.
        seconds: What it took.
    """

    repeat: int
    fold: int
    learned: int
    asked: int
    primary: str
    metrics: Mapping[str, Mapping[str, Any]]
    seconds: float


class CrossvalFolder:
    """The folder of one cross-validation; the same one is gone on with, and no other one is overwritten.

    Args:
        path: The folder; made if there is none.
        key: What decides the outcome, as text.
        config_yaml: How each fold is trained.

    Raises:
        UserError: Something else is there already.
    """

    def __init__(self, path: Path, key: str, config_yaml: str) -> None:
        self.path = path
        self._key = sha256_bytes(key.encode("utf-8", "surrogatepass"))
        self.done: dict[tuple[int, int], FoldDone] = {}
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
            if (path / RECORD).is_file():
                self._go_on()
            elif any(path.iterdir()):
                raise UserError("exists already", where=str(path), fix="name a new folder with --out")
            else:
                self.write_record("running")
            write_text(path / "config.yaml", config_yaml)

    def _go_on(self) -> None:
        stored = read_json(self.path / RECORD)
        if not isinstance(stored, dict) or stored.get("key") != self._key:
            raise UserError(
                "holds a cross-validation of other rows, folds or settings",
                where=str(self.path),
                fix="repeat the command that began it, or name a new folder with --out",
            )
        for values in stored["folds"]:
            one = FoldDone(**values)
            if self.predictions(one.repeat, one.fold).is_file():
                self.done[one.repeat, one.fold] = one

    def place(self, repeat: int, fold: int) -> Path:
        """Where the run of a fold is while it lasts."""
        return self.path / "folds" / f"{repeat}-{fold}"

    def predictions(self, repeat: int, fold: int) -> Path:
        """What was said about the rows of a fold."""
        return self.path / "predictions" / f"fold-{repeat}-{fold}.jsonl"

    def keep(self, run: Run, one: FoldDone, *, keep_model: bool) -> None:
        """Take over what a fold came to, and drop its run unless it is to be kept."""
        lines = read_jsonl(run.path / "predictions" / "test.jsonl")
        write_jsonl(self.predictions(one.repeat, one.fold), lines)
        self.done[one.repeat, one.fold] = one
        self.write_record("running")
        if not keep_model:
            shutil.rmtree(run.path, ignore_errors=True)

    def finish(self, scores: Mapping[str, Score], repeats: int, folds: int, *, keep_models: bool) -> None:
        """Write the scores of the whole, and what was said about every row, in the order of the rows."""
        write_json(self.path / METRICS, {OUT_OF_FOLD: {name: score.as_dict() for name, score in scores.items()}})
        for repeat in range(repeats):
            name = OUT_OF_FOLD if repeats == 1 else f"{OUT_OF_FOLD}_{repeat}"
            write_jsonl(self.path / "predictions" / f"{name}.jsonl", self._in_order(repeat, folds))
        self.write_record("done")
        # A kill between a record and what follows it leaves the run of a fold behind.
        for repeat, fold in self.done if not keep_models else ():
            shutil.rmtree(self.place(repeat, fold), ignore_errors=True)
        folder = self.path / "folds"
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def _in_order(self, repeat: int, folds: int) -> list[dict[str, Any]]:
        lines = [
            {**line, free_name("fold", line): fold}
            for fold in range(folds)
            for line in read_jsonl(self.predictions(repeat, fold))
        ]
        return sorted(lines, key=lambda line: int(added_value("row", line)))

    def write_record(self, status: str) -> None:
        """Write down how it stands."""
        folds = [asdict(self.done[key]) for key in sorted(self.done)]
        record = {"format": FORMAT, "key": self._key, "status": status, "versions": versions(), "folds": folds}
        write_json(self.path / RECORD, record)


def scores_by_metric(folds: Sequence[FoldDone]) -> dict[str, list[float]]:
    """Metric → its value in each fold, for those that every fold has."""
    names = [name for name in folds[0].metrics if all(name in one.metrics for one in folds)]
    found = {name: [one.metrics[name]["value"] for one in folds] for name in names}
    return {name: [float(value) for value in values] for name, values in found.items() if None not in values}
