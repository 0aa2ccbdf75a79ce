"""Paired differences: right value, sensible interval, no certainty from few disagreements."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Outcome
from supertune.errors import UserError
from supertune.evaluate import METRICS, estimate, metrics_for, paired_difference

PAIRED = [
    name
    for name in metrics_for("classes")
    if METRICS["classes"][name].from_counts or METRICS["classes"][name].from_rows
]


@pytest.fixture
def rivals(draw_outcome, make_outcome):
    """A model that is right in 85 of 100 rows and one that is right in 70, on the same 400 rows of 3 classes."""
    generator = np.random.default_rng(1)
    targets = generator.integers(0, 3, 400)
    better, worse = (np.where(generator.random(400) < p, targets, (targets + 1) % 3) for p in (0.85, 0.7))
    return make_outcome(targets, better, 3), make_outcome(targets, worse, 3)


@pytest.mark.parametrize("metric", PAIRED)
def test_the_difference_is_the_difference_of_the_values(rivals, metric):
    first, second = rivals
    difference = paired_difference(first, second, metric)
    assert difference.value == pytest.approx(estimate(first, metric) - estimate(second, metric))
    assert difference.low <= difference.value <= difference.high
    assert difference.low * difference.high > 0, "15 points in 400 rows is no luck"
    assert difference.signature.startswith(f"difference:{metric}|")


@pytest.mark.parametrize("metric", PAIRED)
def test_the_other_way_round_has_the_other_sign(rivals, metric):
    first, second = rivals
    forth, back = paired_difference(first, second, metric), paired_difference(second, first, metric)
    assert back.value == pytest.approx(-forth.value)
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low), abs=0.02 * abs(forth.value) + 0.01)


def test_a_model_beside_itself_is_zero_but_not_for_certain(rivals):
    for metric in ("accuracy", "f1_macro", "mcc"):
        difference = paired_difference(rivals[0], rivals[0], metric)
        assert difference.value == 0
        assert difference.low < 0 < difference.high


def test_accuracy_agrees_with_the_adjusted_wald_interval(rivals):
    """Bonett and Price 2012, eq. 3, which the imagined rows imitate."""
    first, second = rivals
    right = [outcome.outputs.argmax(axis=1) == outcome.targets for outcome in rivals]
    n = len(first)
    only_first, only_second = ((a & ~b).sum() for a, b in (right, right[::-1]))
    p, q = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    half = 1.96 * np.sqrt((p + q - (p - q) ** 2) / (n + 2))
    difference = paired_difference(first, second, "accuracy", resamples=20_000)
    assert (difference.low, difference.high) == pytest.approx((p - q - half, p - q + half), abs=0.003)


def test_two_equally_good_models_are_rarely_told_apart(make_outcome):
    generator = np.random.default_rng(3)
    found = 0
    for seed in range(300):
        targets = generator.choice(3, 200, p=(0.7, 0.2, 0.1))
        first, second = (np.where(generator.random(200) < 0.8, targets, (targets + 1) % 3) for _ in range(2))
        difference = paired_difference(
            make_outcome(targets, first, 3), make_outcome(targets, second, 3), "f1_macro", seed=seed, resamples=500
        )
        found += difference.low > 0 or difference.high < 0
    assert found <= 0.08 * 300


def test_the_seed_decides_the_draws(rivals):
    again = [paired_difference(*rivals, "f1_macro", seed=seed) for seed in (1, 1, 2)]
    assert again[0] == again[1]
    assert again[0].low != again[2].low
    assert "seed:1" in again[0].signature


def test_few_disagreements_carry_a_warning(rivals):
    first, second = rivals
    almost = Outcome(first.targets, np.concatenate([second.outputs[:10], first.outputs[10:]]), first.labels)
    assert "differ in only" in paired_difference(first, almost, "accuracy").warning
    assert paired_difference(first, second, "accuracy").warning is None


def test_many_classes_and_rows_of_one_class_do_no_harm(draw_outcome, make_outcome):
    generator = np.random.default_rng(4)
    wide = draw_outcome(generator, 300, 200)
    other = Outcome(wide.targets, draw_outcome(generator, 300, 200).outputs, wide.labels)
    assert np.isfinite(paired_difference(wide, other, "f1_macro").low)
    same = make_outcome([0, 0, 0], [0, 0, 0], 1)
    assert paired_difference(same, same, "f1_macro").value == 0


def test_different_rows_are_refused(make_outcome):
    with pytest.raises(UserError, match="same rows"):
        paired_difference(make_outcome([0, 1], [0, 1], 2), make_outcome([1, 1], [0, 1], 2), "accuracy")


def test_metrics_without_pairs_say_so(rivals):
    with pytest.raises(UserError, match="auroc"):
        paired_difference(*rivals, "auroc")
