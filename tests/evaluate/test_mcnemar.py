"""McNemar's test against the binomial test of scipy, its level, and Holm's adjustment against a known family."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from supertune.evaluate import holm, mcnemar


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (1, 1), (9, 3), (3, 9), (40, 71), (5, 5)])
def test_the_exact_test_is_the_binomial_test_and_mid_p_half_a_tie_less(first, second):
    found = mcnemar(first, second)
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert found.exact == pytest.approx(expected)
    if first != second:
        assert found.mid_p == pytest.approx(expected - binom.pmf(first, first + second, 0.5))
    # Edwards (1948)'s data in Fagerland et al. (2013), table 1: one and seven.
    assert mcnemar(1, 7).exact == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar(1, 7).mid_p == pytest.approx(0.0391, abs=5e-5)


def test_under_the_null_mid_p_is_wrong_in_at_most_six_per_cent_and_exact_in_five():
    for count in range(5, 201):
        chances = binom.pmf(np.arange(count + 1), count, 0.5)
        found = [mcnemar(first, count - first) for first in range(count + 1)]
        assert chances[[one.exact <= 0.05 for one in found]].sum() <= 0.05
        # Given how many disagree, mid-p may be a little above: at sixteen 7.7 %.
        assert chances[[one.mid_p <= 0.05 for one in found]].sum() <= 0.077
    # Over all numbers of disagreements that come about, as for two like models with 12 % of them among 500 rows.
    mixed = binom.pmf(np.arange(201), 500, 0.12)
    levels = []
    for count in range(201):
        chances = binom.pmf(np.arange(count + 1), count, 0.5)
        levels.append(chances[[mcnemar(first, count - first).mid_p <= 0.05 for first in range(count + 1)]].sum())
    assert float(mixed @ np.array(levels)) <= 0.06


def test_holm_steps_down_and_never_below_a_smaller_one():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
