"""What the scores say, decided once and before any words are chosen, so that every language says the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from supertune.contracts import Score

Advice = Literal["more-test-rows", "use-simple", "as-good", "not-proven", "more-rows-for-class", "more-rows"]
Trust = Literal["believable", "off", "unknown"]
Lead = Literal["ahead", "behind", "open"]

FEW_CLASS_ROWS = 20
WIDE_INTERVAL = 0.2
_TRUSTED_ERROR = 0.05
_WEAK_GAP = 0.05
_LEVEL = 0.01
_VAGUE_INTERVAL = 0.4


@dataclass(frozen=True)
class WeakestClass:
    """The class with the lowest F1, and how many rows that rests on."""

    label: str
    f1: Score
    test_rows: int
    train_rows: int | None

    @property
    def too_few(self) -> bool:
        """Whether so few test rows have the class that its F1 says little."""
        return self.test_rows < FEW_CLASS_ROWS


@dataclass(frozen=True)
class Facts:
    """Everything the verdict mentions.

    Attributes:
        n_test: Number of test rows.
        accuracy: Share of right answers.
        majority: Accuracy of always giving the most frequent class, if measured.
        simple: Accuracy of TF-IDF with logistic regression, if measured.
        difference: The model minus TF-IDF on the same rows, if measured.
        difference_name: The metric of ``difference``.
        weakest: The class with the lowest F1.
        calibration: The expected calibration error, if measured.
        advice: The one thing that would help most.
    """

    n_test: int
    accuracy: Score
    majority: float | None
    simple: float | None
    difference: Score | None
    difference_name: str
    weakest: WeakestClass | None
    calibration: Score | None
    advice: Advice

    @property
    def lead(self) -> Lead:
        """Whether the model is ahead of TF-IDF, behind it, or the test cannot tell."""
        if self.difference is None:
            return "open"
        if self.difference.low > 0:
            return "ahead"
        return "behind" if self.difference.high < 0 else "open"

    @property
    def beats_majority(self) -> bool:
        """Whether even the low end of the accuracy is above always giving the most frequent class."""
        return self.majority is None or self.accuracy.low > self.majority

    @property
    def trust(self) -> Trust:
        """Whether confidences can be taken at their word, to within 5 points."""
        if self.calibration is None or (self.calibration.low <= _TRUSTED_ERROR < self.calibration.high):
            return "unknown"
        return "believable" if self.calibration.high <= _TRUSTED_ERROR else "off"

    @property
    def scale(self) -> int:
        """100, or more where whole numbers out of 100 would hide the interval."""
        width = self.accuracy.high - self.accuracy.low
        return 100 if width >= 0.03 else 1_000 if width >= 0.003 else 10_000

    @property
    def vague(self) -> bool:
        """Whether the accuracy is so little known that one number for it would mislead."""
        return self.accuracy.high - self.accuracy.low > _VAGUE_INTERVAL


def find_facts(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    n_test: int,
    test_counts: Mapping[str, int],
    train_counts: Mapping[str, int] | None,
) -> Facts:
    """Pick what matters from the scores and choose the advice; see `supertune.evaluate.verdict`."""
    weakest = _weakest(scores, test_counts, train_counts)
    accuracy = scores["accuracy"]
    name = difference.signature.split("|")[0].removeprefix("difference:") if difference else ""
    return Facts(
        n_test=n_test,
        accuracy=accuracy,
        majority=_accuracy_of(baselines, "majority"),
        simple=_accuracy_of(baselines, "tfidf"),
        difference=difference,
        difference_name=name,
        weakest=weakest,
        calibration=scores.get("ece"),
        advice=_advice(accuracy, difference, weakest, scores.get("f1_macro")),
    )


def _accuracy_of(baselines: Mapping[str, Mapping[str, Score]], name: str) -> float | None:
    measured = baselines.get(name, {}).get("accuracy")
    return measured.value if measured else None


def _weakest(
    scores: Mapping[str, Score], test_counts: Mapping[str, int], train_counts: Mapping[str, int] | None
) -> WeakestClass | None:
    """The class with the lowest F1 among those that have test rows; None for one class or no mistake."""
    by_class = {
        label: scores[f"f1/{label}"] for label, rows in test_counts.items() if rows > 0 and f"f1/{label}" in scores
    }
    if len(by_class) < 2:
        return None
    label = min(by_class, key=lambda name: (by_class[name].value, test_counts[name]))
    if by_class[label].value == 1.0:
        return None
    train_rows = None if train_counts is None else train_counts.get(label, 0)
    return WeakestClass(label, by_class[label], test_counts[label], train_rows)


def _advice(accuracy: Score, difference: Score | None, weakest: WeakestClass | None, f1_macro: Score | None) -> Advice:
    """The first that applies: nothing else is worth saying while the test is too small or TF-IDF does it."""
    if accuracy.high - accuracy.low > WIDE_INTERVAL:
        return "more-test-rows"
    if difference is not None and difference.high < 0:
        return "use-simple"
    if difference is not None and difference.low <= 0 and max(-difference.low, difference.high) < _LEVEL:
        return "as-good"
    if difference is not None and difference.low <= 0:
        return "not-proven"
    overall = f1_macro.value if f1_macro else accuracy.value
    if weakest is not None and weakest.f1.value < overall - _WEAK_GAP:
        return "more-rows-for-class"
    return "more-rows"
