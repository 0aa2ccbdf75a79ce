"""Averages of weights equal those written out in full, are swapped in and out exactly, and survive a stop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supertune.train.regularisation.averaging import WeightAverage


def walk(steps: int, seed: int = 0) -> torch.Tensor:
    """Weights of a few steps, (steps, 2, 3)."""
    return torch.randn(steps, 2, 3, generator=torch.Generator().manual_seed(seed))


def averaged(weights: torch.Tensor, average: WeightAverage, parameter: torch.Tensor) -> torch.Tensor:
    for present in weights:
        with torch.no_grad():
            parameter.copy_(present)
        average.update()
    return average.averages()[0]


@given(steps=st.integers(1, 40), decay=st.floats(0, 0.9999), seed=st.integers(0, 2**16))
def test_the_moving_average_is_the_weighted_mean_written_out(steps: int, decay: float, seed: int) -> None:
    weights, parameter = walk(steps, seed), torch.zeros(2, 3)
    found = averaged(weights, WeightAverage([parameter], "ema", decay), parameter)
    factors = decay ** np.arange(steps - 1, -1, -1, dtype=np.float64)
    expected = np.average(weights.double().numpy(), axis=0, weights=factors)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_the_moving_average_is_adams_corrected_one() -> None:
    weights, parameter, decay = walk(7), torch.zeros(2, 3), 0.9
    found = averaged(weights, WeightAverage([parameter], "ema", decay), parameter)
    moment = torch.zeros(2, 3)
    for present in weights:
        moment = decay * moment + (1 - decay) * present
    torch.testing.assert_close(found, moment / (1 - decay**7))


@given(steps=st.integers(1, 30), begin=st.integers(0, 40), seed=st.integers(0, 2**16))
def test_the_uniform_average_is_the_mean_of_the_weights_after_its_beginning(steps: int, begin: int, seed: int) -> None:
    weights, parameter = walk(steps, seed), torch.zeros(2, 3)
    found = averaged(weights, WeightAverage([parameter], "uniform", begin_step=begin), parameter)
    expected = weights[begin:].mean(0) if begin < steps else weights[-1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_it_equals_torchs_own_stochastic_weight_averaging() -> None:
    model = torch.nn.Linear(3, 2)
    reference = torch.optim.swa_utils.AveragedModel(model)
    average = WeightAverage(list(model.parameters()), "uniform")
    for present in walk(6):
        with torch.no_grad():
            model.weight.copy_(present)
        reference.update_parameters(model)
        average.update()
    for found, expected in zip(average.averages(), reference.module.parameters(), strict=True):
        torch.testing.assert_close(found, expected.detach())


def test_applied_weights_are_the_averages_and_go_away_without_a_trace() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2, 3))
    average = WeightAverage([parameter], "ema", 0.5)
    mean = averaged(walk(4), average, parameter).clone()
    before, place = parameter.detach().clone(), parameter.data_ptr()
    with average.applied():
        assert torch.equal(parameter, mean)
    assert torch.equal(parameter, before)
    assert parameter.data_ptr() == place
    with pytest.raises(KeyboardInterrupt), average.applied():
        raise KeyboardInterrupt
    assert torch.equal(parameter, before)
    assert torch.equal(average.averages()[0], mean)


def test_before_there_is_an_average_the_present_weights_are_applied() -> None:
    parameter = torch.ones(2, 3)
    average = WeightAverage([parameter], "uniform", begin_step=3)
    average.update()
    with average.applied():
        assert (parameter == 1).all()
    assert average.state_dict().keys() == {"steps"}


def test_bfloat16_weights_are_averaged_in_32_bits_and_come_back_to_the_last_bit() -> None:
    parameter = torch.ones(2, 3, dtype=torch.bfloat16)
    average = WeightAverage([parameter], "uniform")
    average.update()
    parameter += 2**-7  # the smallest step above 1 that bfloat16 knows
    average.update()
    assert (average.averages()[0] == 1 + 2**-8).all(), "which bfloat16 cannot hold"
    assert average.averages()[0].dtype == torch.float32
    with average.applied():
        assert parameter.dtype == torch.bfloat16
    assert (parameter == 1 + 2**-7).all()


@pytest.mark.parametrize("kind", ["ema", "uniform"])
@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_stopped_average_goes_on_to_the_last_bit(kind: str, stop: int) -> None:
    def fresh(parameter: torch.Tensor) -> WeightAverage:
        return WeightAverage([parameter], kind, 0.9, begin_step=2)  # type: ignore[arg-type]

    weights, parameter = walk(9), torch.zeros(2, 3)
    whole = averaged(weights, fresh(parameter), parameter).clone()
    first = fresh(parameter)
    averaged(weights[:stop], first, parameter)
    state = {name: value.clone() for name, value in first.state_dict().items()}
    second = fresh(parameter)
    second.load_state_dict(state)
    assert second.steps == stop
    assert torch.equal(averaged(weights[stop:], second, parameter), whole)
    assert all(torch.equal(value, state[name]) for name, value in first.state_dict().items())


def test_the_state_of_other_parameters_is_refused() -> None:
    average = WeightAverage([torch.zeros(2, 3)], "ema")
    average.update()
    with pytest.raises(ValueError, match="other parameters"):
        WeightAverage([torch.zeros(3, 2)], "ema").load_state_dict(average.state_dict())


def test_a_shorter_state_replaces_a_longer_one() -> None:
    average = WeightAverage([torch.zeros(2, 3)], "ema")
    empty = average.state_dict()
    average.update()
    average.load_state_dict(empty)
    assert average.state_dict().keys() == {"steps"}
    assert average.steps == 0
