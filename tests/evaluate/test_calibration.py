"""Reliability bins."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Outcome
from supertune.evaluate import reliability


def test_bins_are_equally_full_ordered_and_whole(draw_outcome):
    outcome = draw_outcome(np.random.default_rng(1), 1003, 4)
    bins = reliability(outcome, bins=10)
    assert sum(part.count for part in bins) == 1003
    assert {part.count for part in bins} == {100, 101}
    assert [part.confidence for part in bins] == sorted(part.confidence for part in bins)
    right = outcome.outputs.argmax(axis=1) == outcome.targets
    assert sum(part.accuracy.value * part.count for part in bins) == pytest.approx(right.sum())
    for part in bins:
        assert part.lowest <= part.confidence <= part.highest
        assert part.accuracy.low <= part.accuracy.value <= part.accuracy.high


def test_a_calibrated_model_lies_on_the_diagonal(draw_outcome):
    for part in reliability(draw_outcome(np.random.default_rng(2), 50_000, 3, 1.5)):
        assert part.accuracy.value == pytest.approx(part.confidence, abs=0.02)


def test_equal_confidences_stay_in_one_bin(make_outcome):
    bins = reliability(make_outcome([0, 1, 1, 0] * 25, [0, 1, 0, 1] * 25, 2, sure=0.8))
    assert [(part.count, part.accuracy.value) for part in bins] == [(100, 0.5)]


def test_one_row_is_one_bin(make_outcome):
    assert len(reliability(make_outcome([0], [0], 2))) == 1


def test_the_order_of_the_rows_does_not_matter(draw_outcome):
    outcome = draw_outcome(np.random.default_rng(3), 300, 3)
    order = np.random.default_rng(4).permutation(300)
    shuffled = Outcome(outcome.targets[order], np.round(outcome.outputs[order], 2), outcome.labels)
    rounded = Outcome(outcome.targets, np.round(outcome.outputs, 2), outcome.labels)
    for one, other in zip(reliability(shuffled), reliability(rounded), strict=True):
        assert (one.count, one.accuracy) == (other.count, other.accuracy)
        assert one.confidence == pytest.approx(other.confidence)
