"""Differences over repeated divisions: the formula, and what the correction is for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from supertune.evaluate import repeated_difference


def test_without_overlap_it_is_the_paired_t_test() -> None:
    values = [0.01, 0.03, -0.01, 0.02, 0.05]
    # With next to no rows asked about the correction vanishes.
    found = repeated_difference(values, learned=10**12, asked=1)
    known = stats.ttest_1samp(values, 0)
    interval = known.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-8)
    assert found.probability == pytest.approx(known.pvalue, abs=1e-8)


def test_the_correction_widens_by_what_the_paper_says() -> None:
    values = [0.01, 0.03, -0.01, 0.02]
    found = repeated_difference(values, learned=80, asked=20)
    bare = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.high - found.low == pytest.approx((bare.high - bare.low) * math.sqrt(4 * (1 / 4 + 20 / 80)))
    assert found.value == pytest.approx(0.0125)


def test_of_no_difference_it_seldom_claims_one_where_the_usual_interval_does_so_often() -> None:
    # Two ways whose answers are coins: every division scores a fifth of the same 200 rows.
    random = np.random.default_rng(0)
    wrong = {"corrected": 0, "usual": 0}
    trials = 400
    for _ in range(trials):
        coins = random.integers(0, 2, (2, 200)).astype(float)
        values = []
        for _ in range(10):
            asked = random.permutation(200)[:40]
            values.append(float(coins[0, asked].mean() - coins[1, asked].mean()))
        found = repeated_difference(values, learned=160, asked=40)
        wrong["corrected"] += not found.low <= 0 <= found.high
        wrong["usual"] += stats.ttest_1samp(values, 0).pvalue < 0.05
    assert wrong["corrected"] / trials < 0.1 < wrong["usual"] / trials


def test_equal_scores_are_no_difference() -> None:
    found = repeated_difference([0.0, 0.0, 0.0], 80, 20)
    assert (found.low, found.value, found.high, found.probability) == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="1 values"):
        repeated_difference([0.1], 80, 20)
