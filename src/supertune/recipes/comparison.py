"""What comes of comparing runs, and how it is told as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supertune.contracts import Score
from supertune.evaluate import McNemar
from supertune.recipes.told_outcome import Told
from supertune.runs import added_value


@dataclass(frozen=True)
class SliceDifference:
    """How far two runs are apart on some of the rows.

    Attributes:
        name: Which rows, such as ``label = refund``.
        difference: First minus second in the metric that is right or wrong row by row.
        test: Of rows that only one gets right; None for numbers.
        probability: Of the test, adjusted for all slices that were looked at (Holm); None where there is no test.
    """

    name: str
    difference: Score
    test: McNemar | None
    probability: float | None = None


@dataclass(frozen=True)
class PairCompared:
    """Two runs on the same rows.

    Attributes:
        first: Name of the first.
        second: Name of the second.
        differences: Metric → first minus second, with the interval of the paired difference.
        test: Of rows that only one gets right; None for numbers.
        probability: Its mid-p value, adjusted for all pairs (Holm); None where there is no test.
        flipped: Rows that the two answer differently, as positions among the labelled rows.
        slices: Parts of the rows, those first where the difference is least like luck.
    """

    first: str
    second: str
    differences: Mapping[str, Score]
    test: McNemar | None
    probability: float | None
    flipped: tuple[int, ...]
    slices: tuple[SliceDifference, ...]


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        runs: What every run said.
        scores: Run → metric → its own score.
        primary: The metric that the verdicts are of: the first that was named, or that the first run is judged by if
            that can be compared in pairs.
        pairs: Every two runs.
    """

    runs: tuple[Told, ...]
    scores: Mapping[str, Mapping[str, Score]]
    primary: str
    pairs: tuple[PairCompared, ...]

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``compare --json``."""
        lines = self.runs[0].lines
        return {
            "runs": [str(told.path) for told in self.runs],
            "rows": len(lines),
            "metric": self.primary,
            "scores": {
                run: {name: score.as_dict() for name, score in scores.items()} for run, scores in self.scores.items()
            },
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "differences": {name: score.as_dict() for name, score in pair.differences.items()},
                    "test": _test_dict(pair.test, pair.probability),
                    "flipped": [int(added_value("row", lines[row])) for row in pair.flipped],
                    "slices": [
                        {
                            "name": part.name,
                            "difference": part.difference.as_dict(),
                            "test": _test_dict(part.test, part.probability),
                        }
                        for part in pair.slices
                    ],
                }
                for pair in self.pairs
            ],
        }


def _test_dict(test: McNemar | None, adjusted: float | None) -> dict[str, Any] | None:
    if test is None:
        return None
    return {
        "name": "mcnemar",
        "only_first_right": test.first,
        "only_second_right": test.second,
        "exact": test.exact,
        "mid_p": test.mid_p,
        "mid_p_holm": adjusted,
    }
