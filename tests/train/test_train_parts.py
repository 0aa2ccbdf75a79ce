"""Losses, schedules, optimizer, precision, random streams and stored weights, each against a reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from supertune.train import (
    balanced_weights,
    cross_entropy,
    generator,
    measure_precision,
    torch_seed,
)

# ------------------------------------------------------------------------------------------------ losses


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_is_that_of_its_definition(smoothing: float) -> None:
    random = np.random.default_rng(0)
    logits, targets = random.normal(size=(20, 4)), random.integers(0, 4, 20)
    summed, count = cross_entropy(None, smoothing)(torch.tensor(logits), torch.tensor(targets))
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    wanted = (1 - smoothing) * np.eye(4)[targets] + smoothing / 4
    assert float(summed) == pytest.approx(-(wanted * log_probabilities).sum())
    assert int(count) == 20


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights_scale_rows_and_leave_the_count(smoothing: float) -> None:
    random = np.random.default_rng(1)
    logits, targets = torch.tensor(random.normal(size=(30, 3))), torch.tensor(random.integers(0, 3, 30))
    factors = [0.5, 1.0, 4.0]
    summed, count = cross_entropy(factors, smoothing)(logits, targets)
    alone = cross_entropy(None, smoothing)
    assert float(summed) == pytest.approx(
        sum(factors[target] * float(alone(logits[[row]], targets[[row]])[0]) for row, target in enumerate(targets))
    )
    assert int(count) == 30
    if not smoothing:
        reference = torch.nn.functional.cross_entropy(logits, targets, torch.tensor(factors).double(), reduction="sum")
        assert float(summed) == pytest.approx(float(reference))


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=12))
def test_balanced_weights_average_one_over_the_rows(counts: list[int]) -> None:
    found = balanced_weights(counts)
    rows = np.repeat(np.arange(len(counts)), counts)
    assert np.mean([found[row] for row in rows]) == pytest.approx(1)
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.arange(len(counts)), y=rows))


def test_a_class_without_rows_gets_no_weight_and_takes_none() -> None:
    assert balanced_weights([10, 0, 30]) == pytest.approx([2.0, 0.0, 2 / 3])


# --------------------------------------------------------------------------------------------- precision


def test_measuring_gives_a_choice_and_a_ratio() -> None:
    choice, ratio = measure_precision(torch.device("cpu"))
    assert choice == ("bf16" if ratio >= 1.5 else "fp32")
    assert 0 < ratio < float("inf")


# ------------------------------------------------------------------------------------------- randomness


def test_streams_repeat_and_do_not_meet() -> None:
    names = [("order",), ("order", 0), ("order", 1), ("order", 0, 0), ("dropout",), ("head",)]
    streams = {key: generator(7, *key).integers(2**63, size=4).tolist() for key in names}
    assert all(streams[key] == generator(7, *key).integers(2**63, size=4).tolist() for key in names)
    assert len({tuple(values) for values in streams.values()}) == len(names)
    assert streams["order", 1] != generator(8, "order", 1).integers(2**63, size=4).tolist()


def test_drawing_from_one_stream_does_not_shift_another() -> None:
    undisturbed = generator(0, "order", 3).random()
    other = generator(0, "dropout")
    other.random(1000)
    assert generator(0, "order", 3).random() == undisturbed


def test_streams_are_not_correlated() -> None:
    drawn = np.array([generator(seed, name).random(2000) for seed in (0, 1) for name in ("order", "head")])
    assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 0.1


@given(st.integers(0, 2**32 - 1))
def test_torch_takes_every_seed(seed: int) -> None:
    assert torch.Generator().manual_seed(torch_seed(seed, "head")).initial_seed() == torch_seed(seed, "head")
