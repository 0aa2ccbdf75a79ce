"""The shares of every schedule: known values, transformers' schedules, and what holds for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import get_args

import pytest
import torch
import transformers.optimization as reference
from hypothesis import given
from hypothesis import strategies as st

from supertune.config import TrainConfig
from supertune.train.schedules import SHAPES, schedule

SHARES = st.floats(0, 1)


def test_every_schedule_of_the_configuration_is_there_and_no_other() -> None:
    assert set(SHAPES) == set(get_args(TrainConfig.model_fields["schedule"].annotation))


@given(st.sampled_from(sorted(SHAPES)), st.integers(1, 400), SHARES, st.floats(0.1, 10), SHARES)
def test_rates_rise_in_the_warmup_and_never_after(
    shape: str, steps: int, warmup: float, power: float, decay_share: float
) -> None:
    course = schedule(shape, steps, warmup, power=power, decay_share=decay_share)
    shares = [course(step) for step in range(steps)]
    climbing = math.ceil(steps * warmup)
    assert all(0 < share <= 1 for share in shares)
    assert all(one < other for one, other in pairwise(shares[: climbing + 1]))
    assert shares[climbing:] == sorted(shares[climbing:], reverse=True)
    assert shares[climbing : climbing + 1] in ([1.0], [])


def polynomial(optimizer: torch.optim.Optimizer, warmup: int, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    return reference.get_polynomial_decay_schedule_with_warmup(optimizer, warmup, steps, lr_end=0.0, power=3.0)


def inverse_sqrt(optimizer: torch.optim.Optimizer, warmup: int, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    return reference.get_inverse_sqrt_schedule(optimizer, warmup)


def constant(optimizer: torch.optim.Optimizer, warmup: int, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    return reference.get_constant_schedule_with_warmup(optimizer, warmup)


def wsd(
    optimizer: torch.optim.Optimizer, warmup: int, steps: int, *, falling: int
) -> torch.optim.lr_scheduler.LambdaLR:
    return reference.get_wsd_schedule(optimizer, warmup, falling, num_training_steps=steps, decay_type="linear")


@pytest.mark.parametrize(
    ("shape", "made"),
    [
        ("linear", reference.get_linear_schedule_with_warmup),
        ("cosine", reference.get_cosine_schedule_with_warmup),
        ("constant", constant),
        ("polynomial", polynomial),
        ("inverse_sqrt", inverse_sqrt),
        # A quarter of 50 steps, rounded up.
        ("wsd", partial(wsd, falling=13)),
    ],
)
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_shares_are_those_of_transformers_without_its_two_steps_of_rate_zero(
    shape: str, made: Callable[..., torch.optim.lr_scheduler.LambdaLR], warmup: float
) -> None:
    steps = 50
    course = schedule(shape, steps, warmup, power=3.0, decay_share=0.25)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    # Its step 0 has the rate 0, and so has its last one.
    scheduler = made(optimizer, math.ceil(steps * warmup) + 1, steps + 1)
    expected = []
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        expected.append(scheduler.get_last_lr()[0])
    assert [course(step) for step in range(steps)] == pytest.approx(expected)


def test_inverse_sqrt_is_the_formula_of_the_paper() -> None:
    """Vaswani et al. 2017, equation 3: min(s^-0.5, s · W^-1.5), as a share of its peak W^-0.5."""
    course = schedule("inverse_sqrt", 100, 0.09)
    peak = 10
    expected = [min(s**-0.5, s * peak**-1.5) / peak**-0.5 for s in range(1, 101)]
    assert [course(step) for step in range(100)] == pytest.approx(expected)
    assert course(39) == pytest.approx(0.5)


def test_a_quarter_of_the_way_to_the_end() -> None:
    expected = {
        "linear": 0.75,
        "cosine": (1 + math.sqrt(0.5)) / 2,
        "constant": 1.0,
        "polynomial": 0.75**2,
        "wsd": 1.0,
    }
    assert {shape: schedule(shape, 100, 0.0)(25) for shape in expected} == pytest.approx(expected)


def test_the_stable_phase_ends_where_the_decay_begins() -> None:
    course = schedule("wsd", 20, 0.1, decay_share=0.25)
    assert [course(step) for step in range(20)] == pytest.approx([1 / 3, 2 / 3, *[1.0] * 13, 1.0, 0.8, 0.6, 0.4, 0.2])


def test_a_decay_longer_than_what_is_left_begins_at_the_peak() -> None:
    course = schedule("wsd", 10, 0.5, decay_share=0.9)
    assert [course(step) for step in range(5, 10)] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_no_decay_stays_at_the_peak() -> None:
    course = schedule("wsd", 10, 0.0, decay_share=0.0)
    assert [course(step) for step in range(10)] == [1.0] * 10


def test_powers() -> None:
    linear, root, steep = (schedule("polynomial", 10, 0.0, power=power) for power in (1.0, 0.5, 10.0))
    assert [linear(step) for step in range(10)] == pytest.approx([1 - step / 10 for step in range(10)])
    assert (root(9), steep(9)) == pytest.approx((0.1**0.5, 0.1**10))
