"""The rate finder on losses whose best rates are known."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.train.range_test import range_rates, range_test, suggest_rate

RATES = range_rates(1e-7, 1.0, 100)


class Quadratic:
    """Gradient descent on Σ curvature · x² / 2, which diverges above a rate of 2 / the highest curvature."""

    def __init__(self, *curvatures: float, scatter: float = 0.0) -> None:
        self.curvatures = np.array(curvatures)
        self.place = np.ones(len(curvatures)) / np.sqrt(curvatures)
        self.scatter = scatter
        self.random = np.random.default_rng(0)
        self.steps = 0

    def __call__(self, rate: float) -> float:
        self.steps += 1
        loss = float((self.curvatures * self.place**2).sum() / 2)
        self.place = self.place * (1 - rate * self.curvatures)
        return loss + abs(self.scatter * self.random.standard_normal())


def curve(centre: float, fall: float, scatter: float, seed: int) -> list[float]:
    """A loss that falls from 0.8 around a rate, explodes two decades above it, and scatters."""
    decades = np.log10(RATES) - math.log10(centre)
    course = 0.8 - fall / (1 + np.exp(-3 * decades)) + 0.5 * np.exp(4 * (decades - 2))
    scattered = np.random.default_rng(seed).standard_normal(len(RATES))
    return [float(loss) for loss in course + scatter * scattered]


def test_rates_are_evenly_spaced_on_a_logarithmic_scale() -> None:
    assert range_rates(1e-4, 1.0, 5) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


@pytest.mark.parametrize("curvature", [1.0, 30.0, 1e3, 1e5])
def test_the_rate_for_a_quadratic_follows_its_curvature(curvature: float) -> None:
    found = range_test(Quadratic(curvature))
    assert found.suggestion.rate is not None
    # 1 / curvature would jump to the minimum; a tenth is on the safe side and still quick.
    assert 0.02 < found.suggestion.rate * curvature < 0.5


def test_the_highest_curvature_decides() -> None:
    found = range_test(Quadratic(1.0, 10.0, 1000.0))
    assert found.suggestion.rate is not None
    assert found.suggestion.rate < 2 / 1000
    assert found.losses[-1] > 4 * min(found.losses)


def test_the_test_stops_soon_after_it_diverges() -> None:
    quadratic = Quadratic(1000.0)
    found = range_test(quadratic)
    assert quadratic.steps == len(found.rates) == len(found.losses) < 80
    assert found.rates == pytest.approx(tuple(RATES[: len(found.rates)]))


def test_scatter_of_the_losses_moves_the_rate_little() -> None:
    exact, scattered = range_test(Quadratic(100.0)), range_test(Quadratic(100.0, scatter=0.05))
    assert exact.suggestion.rate is not None
    assert scattered.suggestion.rate is not None
    assert scattered.suggestion.rate == pytest.approx(exact.suggestion.rate, rel=0.6)


@given(st.integers(0, 500), st.sampled_from([1e-5, 1e-4, 1e-3]), st.sampled_from([(0.3, 0.02), (0.6, 0.1), (1, 0.1)]))
def test_the_rate_of_a_noisy_curve_is_where_it_falls(seed: int, centre: float, size: tuple[float, float]) -> None:
    suggestion = suggest_rate(RATES, curve(centre, *size, seed))
    assert suggestion.rate is not None
    assert centre / 6 < suggestion.rate < 4 * centre
    assert f"{suggestion.rate:.1e}" in suggestion.reason


@given(st.integers(0, 2000), st.sampled_from([0.0, 0.01, 0.1]), st.sampled_from([50, 100, 200]))
def test_scatter_alone_gives_no_rate(seed: int, scatter: float, steps: int) -> None:
    losses = 0.7 + scatter * np.random.default_rng(seed).standard_normal(steps)
    suggestion = suggest_rate(range_rates(1e-7, 1.0, steps), losses.tolist())
    assert suggestion.rate is None
    assert "scatters" in suggestion.reason


def test_a_loss_that_only_rises_gives_no_rate() -> None:
    assert suggest_rate(RATES, np.linspace(0.7, 2.0, 100).tolist()).rate is None


def test_both_rules_are_told_and_the_lower_rate_is_taken() -> None:
    """A straight fall from 1e-5 to 1e-2: steepest anywhere in between, lowest at 1e-2, of which a tenth is 1e-3."""
    decades = np.log10(RATES)
    losses = np.interp(decades, [-7, -5, -2, -1, 0], [1.0, 1.0, 0.2, 0.8, 0.8])
    suggestion = suggest_rate(RATES, losses.tolist())
    assert suggestion.rate is not None
    assert 1e-5 < suggestion.rate < 1.5e-3
    steepest, lowest, chosen = (float(number) for number in re.findall(r"\d\.\de-\d\d", suggestion.reason))
    assert 3e-3 < lowest < 2e-2
    assert chosen == pytest.approx(min(steepest, lowest / 10), rel=0.05)
    assert chosen == pytest.approx(suggestion.rate, rel=0.05)


def test_a_steep_end_is_held_back_by_a_tenth_of_the_lowest() -> None:
    """Where the fall is all within half a decade, its steepest place is too near to where the loss rises again."""
    losses = np.interp(np.log10(RATES), [-7, -2.5, -2, -1.8, 0], [1.0, 1.0, 0.3, 1.0, 1.0])
    suggestion = suggest_rate(RATES, losses.tolist())
    assert suggestion.rate is not None
    steepest, lowest, _ = (float(number) for number in re.findall(r"\d\.\de-\d\d", suggestion.reason))
    assert 3e-3 < steepest < 1e-2
    assert suggestion.rate == pytest.approx(lowest / 10, rel=0.05)


def test_the_test_stops_where_the_average_passes_four_times_its_best() -> None:
    """From 1 to 10 at step 51: averages 1 + 9 · (1 − 0.9^k), which is 3.4 after 3 steps and 4.1 after 4."""
    found = range_test(lambda rate: 1.0 if rate <= RATES[49] else 10.0)
    assert len(found.losses) == 54


def test_a_loss_that_falls_to_the_end_says_so() -> None:
    suggestion = suggest_rate(RATES, np.interp(np.log10(RATES), [-7, -2, 0], [1.0, 1.0, 0.1]).tolist())
    assert suggestion.rate is not None
    assert suggestion.rate <= 0.1
    assert "still falling" in suggestion.reason


@pytest.mark.parametrize("ending", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_the_test(ending: float) -> None:
    losses = iter([*curve(1e-4, 0.5, 0.0, 0)[:60], ending])
    found = range_test(lambda rate: next(losses))
    assert len(found.losses) == 61
    assert found.suggestion.rate is not None
    assert 1e-5 < found.suggestion.rate < 1e-3


def test_a_floating_point_error_ends_the_test() -> None:
    losses = iter(curve(1e-4, 0.5, 0.0, 0)[:60])

    def step(rate: float) -> float:
        if rate > RATES[59]:
            raise FloatingPointError("the loss is not a finite number")
        return next(losses)

    found = range_test(step)
    assert found.losses[-1] == math.inf
    assert found.suggestion.rate is not None


def test_explosion_from_the_start_gives_no_rate_and_says_why() -> None:
    found = range_test(Quadratic(1e12))
    assert found.suggestion.rate is None
    assert "explodes" in found.suggestion.reason


def test_the_explosion_at_the_end_does_not_hide_the_fall() -> None:
    gentle = curve(1e-4, 0.3, 0.01, 1)
    abrupt = [*gentle[:75], 0.9, 1.4, 1.9]
    one, other = suggest_rate(RATES, gentle), suggest_rate(RATES[:78], abrupt, 100)
    assert one.rate is not None
    assert other.rate == pytest.approx(one.rate, rel=0.5)
