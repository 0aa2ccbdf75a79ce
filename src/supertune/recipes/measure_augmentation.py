"""Whether augmenting helps: trained with and without on the same divisions of the training rows, again and again.

Where there are more rows there are more steps, and few rows gain by steps alone (docs/training.md). So in a third arm
the same rows are repeated as often as new ones would have been made of them: new rows help where they beat both.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from supertune.config import Config, dump_config
from supertune.console import Console
from supertune.data import Table, originals_repeated, split_table
from supertune.errors import InterruptedRunError, UserError
from supertune.evaluate import METRICS, RepeatedDifference, repeated_difference
from supertune.files import read_json, sha256_bytes, write_json
from supertune.recipes.fit import fit
from supertune.recipes.rows import LoadedRows
from supertune.recipes.without_data import without_data

ASKED = 0.2
"""Share of the training rows that a division asks about."""
FEWEST_DRAWS = 3
_ARMS = ("without", "repeated", "with")

AugmentRows = Callable[[Table, tuple[Table, ...], int], Table]
"""Training rows, rows that no new one may be equal to, and a seed → the training rows with new ones."""


@dataclass(frozen=True)
class MeasuredAugmentation:
    """Scores of trainings with and without the new rows.

    Attributes:
        metric: Which score.
        scores: ``without``, ``repeated`` (the same rows as often as they would have been added to) and ``with`` → the
            score of each division, in the same order.
        difference: With minus without.
        over_repeated: With minus repeated.
        higher_is_better: Which way the metric goes.
        learned: Rows that each division learns from, before new ones.
        asked: Rows that each division asks about.
        folder: Where the scores are kept.
    """

    metric: str
    scores: dict[str, list[float]]
    difference: RepeatedDifference
    over_repeated: RepeatedDifference
    higher_is_better: bool
    learned: int
    asked: int
    folder: Path

    @property
    def verdict(self) -> str:
        """``helps``, ``hurts``, ``steps`` (better than without, and not than repeated rows), or ``unproven``."""
        low, high = self._bounds(self.difference)
        if high < 0:
            return "hurts"
        if low <= 0:
            return "unproven"
        return "helps" if self._bounds(self.over_repeated)[0] > 0 else "steps"

    def _bounds(self, found: RepeatedDifference) -> tuple[float, float]:
        """The interval, turned so that above 0 is better."""
        return (found.low, found.high) if self.higher_is_better else (-found.high, -found.low)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        told = f"{self.metric} {_told(self.difference)} over {self.difference.n} divisions"
        beside = f"beside the same rows repeated {_told(self.over_repeated)}"
        return {
            "helps": f"the new rows help: {told}; {beside}",
            "steps": f"training goes better, and that the new rows do it cannot be told: {told}; {beside}; "
            "leave them out, and train longer (train.epochs)",
            "hurts": f"the new rows do harm: {told}; leave them out",
            "unproven": f"whether the new rows help cannot be told: {told}; leave them out, or measure more divisions",
        }[self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "metric": self.metric,
            "verdict": self.verdict,
            "difference": self.difference.as_dict(),
            "over_repeated": self.over_repeated.as_dict(),
            "scores": self.scores,
            "rows": {"learned": self.learned, "asked": self.asked},
            "folder": str(self.folder),
        }


def _told(found: RepeatedDifference) -> str:
    return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def check_divisions(draws: int) -> None:
    """Check that there are enough divisions to compare.

    Raises:
        UserError: There are not.
    """
    if draws < FEWEST_DRAWS:
        what = f"{draws} divisions tell nothing of how much they differ"
        raise UserError(what, where="--measure", fix=f"{FEWEST_DRAWS} or more; 10 is usual")


def measure_augmentation(
    config: Config, rows: LoadedRows, augmented: AugmentRows, *, draws: int, about: object, console: Console
) -> MeasuredAugmentation:
    """Train on divisions of the training rows without new rows, with their own again, and with new ones; compare.

    A fifth of the training rows is asked about in each division; the test rows are not looked at, and validation rows,
    where there are any, choose the epoch in both. Scores are kept by what was trained, so that the same command goes
    on where it was.

    Args:
        config: How to train.
        rows: The splits; of these the training and validation rows are used.
        augmented: Adds the new rows.
        draws: Divisions.
        about: What the new rows depend on, as JSON, so that other ones are measured anew.
        console: Where to tell.

    Raises:
        UserError: There are too few divisions, or too few rows to divide.
        InterruptedRunError: Ctrl-C; the scores of what was trained are kept.
    """
    check_divisions(draws)
    table = rows.splits["train"]
    plain = without_data(config)
    fingerprints = [rows.splits[split].fingerprint for split in ("train", "validation") if split in rows.splits]
    content = [version("supertune"), dump_config(plain), fingerprints, about, ASKED]
    key = json.dumps(content, ensure_ascii=False, default=str)
    folder = Path("runs") / f"augmenting-{sha256_bytes(key.encode('utf-8', 'surrogatepass'))[:12]}"
    kept = _Kept(folder)
    console.heading(f"Measuring, {draws} divisions")
    learned = asked = 0
    with console.progress("training with and without", len(_ARMS) * draws) as bar:
        for done, (draw, arm) in enumerate((draw, arm) for draw in range(draws) for arm in _ARMS):
            cut = _divided(table, rows, draw)
            learned, asked = len(cut["train"]), len(cut["test"])
            if (draw, arm) not in kept.scores:
                known = (cut["test"], *(cut[split] for split in ("validation",) if split in cut))
                train = cut["train"] if arm == "without" else augmented(cut["train"], known, draw)
                if arm == "repeated":
                    train = originals_repeated(train)
                kept.keep(draw, arm, *_scored(plain, {**cut, "train": train}, draw, folder / "work"))
            bar(done + 1)
    scores = {arm: [kept.scores[draw, arm] for draw in range(draws)] for arm in _ARMS}
    found, over_repeated = (
        repeated_difference([new - old for old, new in zip(scores[arm], scores["with"], strict=True)], learned, asked)
        for arm in ("without", "repeated")
    )
    better = METRICS[rows.columns.answers][kept.metric].higher_is_better
    measured = MeasuredAugmentation(kept.metric, scores, found, over_repeated, better, learned, asked, folder)
    shown = [[arm, f"{sum(scores[arm]) / draws:.4f}", *(f"{each:.3f}" for each in scores[arm][:10])] for arm in _ARMS]
    numbers = [str(draw) for draw in range(min(draws, 10))]
    console.table(["", kept.metric, *numbers], shown, right=tuple(range(1, 2 + len(numbers))))
    console.say(f"  {measured.sentence}")
    return measured


def _divided(table: Table, rows: LoadedRows, draw: int) -> dict[str, Table]:
    cut = split_table(table, rows.columns, fractions=(1 - ASKED, 0.0, ASKED), seed=draw)
    return cut | {split: rows.splits[split] for split in ("validation",) if split in rows.splits}


def _scored(config: Config, tables: dict[str, Table], draw: int, work: Path) -> tuple[str, float]:
    """The primary metric on the rows that were asked about, and its name."""
    shutil.rmtree(work, ignore_errors=True)
    values: dict[str, object] = {"train.seed": draw}
    if "validation" not in tables:
        values["data.split"] = [1.0, 0.0, 0.0]
    try:
        run = fit(config.with_values(values), tables, out=work, console=Console(quiet=True), command=["augment"])
        found = read_json(run.path / "manifest.json")["primary"]["metric"]
        return str(found), run.metrics["test"][found].value
    except InterruptedRunError as error:
        raise InterruptedRunError("interrupted; the same command goes on with the division it was at") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Kept:
    """Scores by division and arm, in a file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "scores.json"
        found: dict[str, Any] = read_json(self._file) if self._file.exists() else {"metric": "", "scores": []}
        self.metric: str = found["metric"]
        self.scores: dict[tuple[int, str], float] = {(draw, arm): score for draw, arm, score in found["scores"]}

    def keep(self, draw: int, arm: str, metric: str, score: float) -> None:
        """Add one."""
        self.metric = metric
        self.scores[draw, arm] = score
        self._file.parent.mkdir(parents=True, exist_ok=True)
        told = [[draw, arm, score] for (draw, arm), score in sorted(self.scores.items())]
        write_json(self._file, {"metric": metric, "scores": told})
