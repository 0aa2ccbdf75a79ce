"""Every loss against its formula, its relatives and torch; gradients against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from supertune.config import TrainConfig
from supertune.train.losses.classes import CLASS_LOSSES, LossSettings
from supertune.train.losses.cross_entropy import Criterion, cross_entropy, focal
from supertune.train.losses.distillation import DISTILLATION_LOSSES
from supertune.train.losses.ranking import RANKING_LOSSES
from supertune.train.losses.regression import huber, mean_absolute_error, mean_squared_error
from supertune.train.losses.sets import binary_cross_entropy

NAMES = sorted(CLASS_LOSSES)
SMOOTHINGS = [0.0, 0.1, 0.6]


def rows(count: int = 20, classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    return torch.tensor(random.normal(size=(count, classes)) * 2), torch.tensor(random.integers(0, classes, count))


def wanted(targets: torch.Tensor, classes: int, smoothing: float) -> np.ndarray[Any, Any]:
    return (1 - smoothing) * np.eye(classes)[targets] + smoothing / classes


def softmax(logits: torch.Tensor) -> np.ndarray[Any, Any]:
    exponentials = np.exp(logits.numpy())
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def expected(name: str, logits: torch.Tensor, targets: torch.Tensor, smoothing: float) -> np.ndarray[Any, Any]:
    """Loss of each row, written out in numpy; gamma 2 and delta 0.3."""
    want, found = wanted(targets, logits.shape[1], smoothing), softmax(logits)
    if name == "cross_entropy":
        return -(want * np.log(found)).sum(axis=1)
    if name == "focal":
        return -(want * (1 - found) ** 2 * np.log(found)).sum(axis=1)
    if name == "binary_cross_entropy":
        alone = 1 / (1 + np.exp(-logits.numpy()))
        return -(want * np.log(alone) + (1 - want) * np.log(1 - alone)).mean(axis=1)
    errors = np.abs(found - want)
    if name == "huber":
        return np.where(errors <= 0.3, errors**2 / 2, 0.3 * (errors - 0.15)).sum(axis=1)
    return (errors**2 if name == "mse" else errors).sum(axis=1)


# -------------------------------------------------------------------------------------- one label per row


def test_every_loss_of_the_configuration_is_there_and_no_other() -> None:
    every = {*CLASS_LOSSES, *RANKING_LOSSES, *DISTILLATION_LOSSES, "auto"}
    assert every == set(get_args(TrainConfig.model_fields["loss"].annotation))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 4.0, 2.0)])
def test_losses_are_those_of_their_formulas(name: str, smoothing: float, weights: Sequence[float] | None) -> None:
    logits, targets = rows()
    settings = LossSettings(class_weights=weights, label_smoothing=smoothing, focal_gamma=2.0, huber_delta=0.3)
    summed, count = CLASS_LOSSES[name](settings)(logits, targets)
    factors = 1.0 if weights is None else np.array(weights)[targets]
    assert float(summed) == pytest.approx((factors * expected(name, logits, targets, smoothing)).sum())
    assert (int(count), count.dtype) == (20, torch.int64)


@pytest.mark.parametrize("name", NAMES)
def test_pieces_add_up_to_the_whole(name: str) -> None:
    criterion = CLASS_LOSSES[name](LossSettings(class_weights=[1, 2, 3, 4], label_smoothing=0.2))
    logits, targets = rows()
    whole, count = criterion(logits, targets)
    pieces = [criterion(logits[at], targets[at]) for at in (slice(0, 3), slice(3, 4), slice(4, 20))]
    assert float(sum(loss for loss, _ in pieces)) == pytest.approx(float(whole))
    assert sum(int(items) for _, items in pieces) == int(count)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradients_equal_finite_differences(name: str, smoothing: float) -> None:
    criterion = CLASS_LOSSES[name](LossSettings(label_smoothing=smoothing, class_weights=[1, 2, 3, 4], huber_delta=0.3))
    logits, targets = rows(5)
    assert torch.autograd.gradcheck(lambda values: criterion(values, targets)[0], logits.requires_grad_())


@pytest.mark.parametrize("name", NAMES)
def test_outputs_in_bfloat16_that_are_cast_get_the_gradients_of_32_bits(name: str) -> None:
    criterion = CLASS_LOSSES[name](LossSettings())
    values, targets = rows()
    coarse = values.to(torch.bfloat16).requires_grad_()
    exact = coarse.detach().float().requires_grad_()
    for logits in (coarse.float(), exact):
        criterion(logits, targets)[0].backward()
    assert coarse.grad is not None
    assert exact.grad is not None
    assert torch.equal(coarse.grad, exact.grad.to(torch.bfloat16))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_certain_rows_right_and_wrong_have_finite_gradients(name: str, gamma: float, scale: float) -> None:
    logits = torch.tensor([[scale, -scale, -scale], [-scale, scale, -scale]], requires_grad=True)
    summed, _ = CLASS_LOSSES[name](LossSettings(focal_gamma=gamma))(logits, torch.tensor([0, 0]))
    summed.backward()
    assert torch.isfinite(summed)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad[0].abs().max()) < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_the_right_answer_costs_less_than_a_wrong_one(name: str) -> None:
    criterion = CLASS_LOSSES[name](LossSettings())
    logits, targets = torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([0])
    assert float(criterion(logits, targets)[0]) < float(criterion(logits, targets + 1)[0])


@given(st.floats(0, 0.9), st.integers(2, 6), st.integers(0, 1000))
def test_focal_loss_without_gamma_is_cross_entropy(smoothing: float, classes: int, seed: int) -> None:
    logits, targets = rows(8, classes, seed)
    assert float(focal(0.0, None, smoothing)(logits, targets)[0]) == pytest.approx(
        float(cross_entropy(None, smoothing)(logits, targets)[0])
    )


def test_focal_loss_has_the_values_of_the_paper() -> None:
    """Lin et al. 2017, section 3.2: at gamma 2, p = 0.9 costs 100 times less than in cross-entropy, 0.968 1000 times.

    And a misclassified row, p ≤ 0.5, at most 4 times less.
    """
    for probability, times in [(0.9, 100), (0.968, 1000), (0.5, 4)]:
        logits = torch.tensor([[math.log(probability), math.log(1 - probability)]], dtype=torch.float64)
        targets = torch.tensor([0])
        ratio = float(cross_entropy()(logits, targets)[0]) / float(focal(2.0)(logits, targets)[0])
        assert ratio == pytest.approx(times, rel=0.03)


def test_mse_is_the_brier_score_of_scikit_learn() -> None:
    logits, targets = rows(50)
    summed, count = CLASS_LOSSES["mse"](LossSettings())(logits, targets)
    found = brier_score_loss(targets.numpy(), softmax(logits), labels=range(4), scale_by_half=False)
    assert float(summed / count) == pytest.approx(found)


def test_mae_is_symmetric() -> None:
    """Ghosh et al. 2017, equation 5: its sum over all possible labels is the same for every answer."""
    criterion = CLASS_LOSSES["mae"](LossSettings())
    logits, _ = rows(10)
    sums = [sum(float(criterion(row[None], torch.tensor([label]))[0]) for label in range(4)) for row in logits]
    assert sums == pytest.approx([2 * (4 - 1)] * 10)


def test_huber_with_a_delta_of_one_is_half_the_brier_score() -> None:
    logits, targets = rows()
    whole = CLASS_LOSSES["mse"](LossSettings())(logits, targets)[0]
    assert float(CLASS_LOSSES["huber"](LossSettings())(logits, targets)[0]) == pytest.approx(float(whole) / 2)


@pytest.mark.parametrize("name", ["cross_entropy", "mse", "binary_cross_entropy"])
def test_proper_losses_are_least_at_the_true_frequencies(name: str) -> None:
    targets = torch.tensor([0] * 6 + [1] * 3 + [2] * 1)
    logits = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = CLASS_LOSSES[name](LossSettings())(logits.expand(10, 3), targets)[0]
        loss.backward()
        return loss

    optimizer.step(closure)
    answer = logits.sigmoid() if name == "binary_cross_entropy" else logits.softmax(0)
    assert answer.tolist() == pytest.approx([0.6, 0.3, 0.1], abs=1e-3)


# ------------------------------------------------------------------------------------- several labels per row


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_binary_cross_entropy_of_several_labels_is_that_of_its_definition(smoothing: float) -> None:
    random = np.random.default_rng(3)
    logits, ones, factors = random.normal(size=(12, 5)), random.integers(0, 2, (12, 5)), random.uniform(0.5, 4, 5)
    want = ones * (1 - smoothing) + smoothing / 2
    alone = 1 / (1 + np.exp(-logits))
    losses = -(factors * want * np.log(alone) + (1 - want) * np.log(1 - alone)).mean(axis=1)
    criterion = binary_cross_entropy(factors.tolist(), smoothing)
    summed, count = criterion(torch.tensor(logits), torch.tensor(ones, dtype=torch.float32))
    assert float(summed) == pytest.approx(losses.sum())
    assert int(count) == 12


def test_one_label_against_the_rest_is_several_labels_with_one_true() -> None:
    logits, targets = rows()
    one_hot = torch.nn.functional.one_hot(targets, 4).double()
    several = binary_cross_entropy()(logits, one_hot)[0]
    assert float(CLASS_LOSSES["binary_cross_entropy"](LossSettings())(logits, targets)[0]) == pytest.approx(
        float(several)
    )
    assert float(several) == pytest.approx(
        float(torch.nn.functional.binary_cross_entropy_with_logits(logits, one_hot)) * 20
    )


# ------------------------------------------------------------------------------------------------ numbers

REGRESSION: list[tuple[Criterion, Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]]] = [
    (mean_squared_error(), np.square),
    (mean_absolute_error(), np.abs),
    (huber(0.7), lambda errors: np.where(abs(errors) <= 0.7, errors**2 / 2, 0.7 * (abs(errors) - 0.35))),
]


@pytest.mark.parametrize(("criterion", "penalty"), REGRESSION, ids=["mse", "mae", "huber"])
@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 3)])
def test_losses_of_numbers_are_those_of_their_formulas(
    criterion: Criterion, penalty: Callable[[Any], Any], shape: tuple[int, ...]
) -> None:
    random = np.random.default_rng(4)
    outputs, targets = random.normal(size=shape), random.normal(size=shape) * 2
    leaf = torch.tensor(outputs, requires_grad=True)
    summed, count = criterion(leaf, torch.tensor(targets))
    assert summed.item() == pytest.approx(penalty(outputs - targets).reshape(9, -1).mean(axis=1).sum())
    assert int(count) == 9
    assert torch.autograd.gradcheck(lambda values: criterion(values, torch.tensor(targets))[0], leaf)


@pytest.mark.parametrize(("criterion", "penalty"), REGRESSION, ids=["mse", "mae", "huber"])
def test_a_column_and_a_row_of_numbers_are_not_paired_up(criterion: Criterion, penalty: object) -> None:
    with pytest.raises(ValueError, match=r"\(4, 1\), targets \(4,\)"):
        criterion(torch.zeros(4, 1), torch.zeros(4))


def test_the_best_constant_is_mean_or_median() -> None:
    targets = torch.tensor([0.0, 0.0, 1.0, 1.0, 98.0])
    grid = torch.arange(0, 100.0, 0.25)

    def best(criterion: Criterion) -> float:
        return float(grid[torch.stack([criterion(value.expand(5), targets)[0] for value in grid]).argmin()])

    assert best(mean_squared_error()) == 20
    assert best(mean_absolute_error()) == 1
    # Where the four near ones pull back as hard as the far one pulls: 2x − 2(1 − x) = 1.
    assert best(huber(1.0)) == 0.75
