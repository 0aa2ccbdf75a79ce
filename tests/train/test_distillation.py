"""Losses of a teacher's scores: against plain loops in NumPy, and what must hold of any of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supertune.train import DISTILLATION_LOSSES, RANKING_LOSSES, DistillationSettings

ALONE = DistillationSettings(in_batch=0.0)


def drawn(seed: int, queries: int = 4, passages: int = 7) -> tuple[Any, Any, Any]:
    """Similarities, relevances, and scores of some of the pairs: of no query none, of the first alone one."""
    random = np.random.default_rng(seed)
    similarities = random.normal(size=(queries, passages)) * 3
    relevance = (random.random((queries, passages)) < 0.25).astype(np.float64)
    asked = random.random((queries, passages)) < 0.5
    asked[:, 0] = True
    asked[0, 1:] = False
    return similarities, relevance, np.where(asked, random.normal(size=(queries, passages)) * 4, np.nan)


def loss_of(name: str, settings: DistillationSettings, *given: Any) -> tuple[float, int]:
    similarities, relevance, scores = given
    known = torch.tensor(np.stack([relevance, scores]))
    loss, count = DISTILLATION_LOSSES[name](settings)(torch.tensor(similarities), known)
    return float(loss), int(count)


def softmax(values: Any) -> Any:
    shares = np.exp(values - values.max())
    return shares / shares.sum()


def apart(similarities: Any, relevance: Any, scores: Any) -> float:
    """What telling the scored passages from the others of the batch costs, query by query."""
    total = 0.0
    for near, wanted, said in zip(similarities, relevance, scores, strict=True):
        scored = ~np.isnan(said)
        against = ~scored & (wanted == 0)
        ours = np.exp(near[scored]).sum()
        total -= np.log(ours / (ours + np.exp(near[against]).sum()))
    return float(total)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_divergence_is_that_of_the_two_softmaxes_over_what_was_scored(seed: int, temperature: float) -> None:
    similarities, relevance, scores = drawn(seed)
    expected = 0.0
    for near, said in zip(similarities, scores, strict=True):
        scored = ~np.isnan(said)
        teacher, student = softmax(said[scored] / temperature), softmax(near[scored])
        expected += (teacher * np.log(teacher / student)).sum()
    settings = DistillationSettings(temperature, 0.0)
    assert loss_of("kl_divergence", settings, similarities, relevance, scores) == (pytest.approx(expected, abs=1e-4), 4)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_margins_are_those_of_every_passage_asked_for_and_every_other(seed: int, temperature: float) -> None:
    similarities, relevance, scores = drawn(seed)
    expected = 0.0
    for near, wanted, said in zip(similarities, relevance, scores, strict=True):
        scored = ~np.isnan(said)
        errors = [
            ((near[right] - near[wrong]) - (said[right] - said[wrong]) / temperature) ** 2
            for right in np.flatnonzero(scored & (wanted > 0))
            for wrong in np.flatnonzero(scored & (wanted == 0))
        ]
        expected += float(np.mean(errors)) if errors else 0.0
    settings = DistillationSettings(temperature, 0.0)
    assert loss_of("margin_mse", settings, similarities, relevance, scores) == (pytest.approx(expected, rel=1e-4), 4)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", list(DISTILLATION_LOSSES))
def test_others_of_the_batch_are_told_apart_as_much_as_was_asked_for(name: str, seed: int) -> None:
    given = drawn(seed)
    alone, _ = loss_of(name, ALONE, *given)
    both, _ = loss_of(name, DistillationSettings(in_batch=0.5), *given)
    assert both - alone == pytest.approx(0.5 * apart(*given), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_with_the_others_the_divergence_is_a_cross_entropy_over_the_batch(seed: int) -> None:
    """The teacher's shares are the target, and what it was not asked about has no share: less their entropy."""
    similarities, _, scores = drawn(seed)
    expected = 0.0
    for near, said in zip(similarities, scores, strict=True):
        scored = ~np.isnan(said)
        teacher = softmax(said[scored])
        expected += -(teacher * np.log(softmax(near)[scored])).sum() + (teacher * np.log(teacher)).sum()
    loss, _ = loss_of("kl_divergence", DistillationSettings(), similarities, np.zeros((4, 7)), scores)
    assert loss == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", list(DISTILLATION_LOSSES))
def test_of_single_passages_it_is_that_of_in_batch_negatives(name: str) -> None:
    similarities, relevance = np.random.default_rng(0).normal(size=(3, 5)), np.eye(3, 5)
    scores = np.where(relevance > 0, [[-3.0], [0.0], [8.0]], np.nan)
    found = loss_of(name, DistillationSettings(), similarities, relevance, scores)
    loss, count = RANKING_LOSSES["in_batch"](torch.tensor(similarities), torch.tensor(relevance))
    assert found == (pytest.approx(float(loss), abs=1e-5), int(count))
    assert loss_of(name, ALONE, similarities, relevance, scores)[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", list(DISTILLATION_LOSSES))
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_gradient_is_that_of_finite_differences(name: str, weight: float) -> None:
    similarities, relevance, scores = drawn(3)
    known = torch.tensor(np.stack([relevance, scores]))
    criterion = DISTILLATION_LOSSES[name](DistillationSettings(2.0, weight))
    given = torch.tensor(similarities, requires_grad=True)
    criterion(given, known)[0].backward()  # type: ignore[no-untyped-call]
    assert given.grad is not None
    for place in np.ndindex(similarities.shape):
        moved = [similarities.copy() for _ in range(2)]
        moved[0][place] += 0.05
        moved[1][place] -= 0.05
        high, low = (float(criterion(torch.tensor(each), known)[0]) for each in moved)
        assert float(given.grad[place]) == pytest.approx((high - low) / 0.1, abs=0.02)


@pytest.mark.parametrize("name", list(DISTILLATION_LOSSES))
def test_what_the_teacher_was_not_asked_about_is_never_scored_zero(name: str) -> None:
    """Nothing follows of where an unscored passage lies, unless it is told apart; then it is pushed away."""
    similarities, relevance, scores = drawn(5)
    # A teacher to whom all is far below 0: a missing score read as 0 would be its best.
    scores = scores - 100
    unscored = np.isnan(scores)
    known = torch.tensor(np.stack([relevance, scores]))
    for weight, away in ((0.0, False), (1.0, True)):
        given = torch.tensor(similarities, requires_grad=True)
        DISTILLATION_LOSSES[name](DistillationSettings(in_batch=weight))(given, known)[0].backward()  # type: ignore[no-untyped-call]
        assert given.grad is not None
        gradient = given.grad.numpy()[unscored & (relevance == 0)]
        assert (gradient > 0).all() if away else not gradient.any()
        # What the rows say is asked for as well is left alone either way.
        assert not given.grad.numpy()[unscored & (relevance > 0)].any()


@pytest.mark.parametrize("name", list(DISTILLATION_LOSSES))
def test_nothing_that_was_asked_is_no_loss_and_has_a_gradient(name: str) -> None:
    similarities = torch.randn(2, 3, requires_grad=True)
    known = torch.stack([torch.ones(2, 3), torch.full((2, 3), float("nan"))])
    loss, count = DISTILLATION_LOSSES[name](DistillationSettings())(similarities, known)
    loss.backward()  # type: ignore[no-untyped-call]
    assert (float(loss.detach()), int(count)) == (0, 0)
    assert similarities.grad is not None
    assert not similarities.grad.any()


@given(st.integers(0, 10_000), st.floats(-1000, 1000), st.sampled_from(list(DISTILLATION_LOSSES)))
def test_only_differences_of_scores_count_and_agreement_costs_nothing(seed: int, shift: float, name: str) -> None:
    similarities, relevance, scores = drawn(seed)
    before, _ = loss_of(name, ALONE, similarities, relevance, scores)
    after, _ = loss_of(name, ALONE, similarities, relevance, scores + shift)
    assert after == pytest.approx(before, rel=1e-2, abs=1e-2)
    assert before >= -1e-5
    same = np.where(np.isnan(scores), similarities, scores) + 7
    assert loss_of(name, ALONE, same, relevance, scores)[0] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", list(DISTILLATION_LOSSES))
def test_teachers_that_are_very_sure_leave_numbers(name: str) -> None:
    similarities = torch.tensor([[900.0, -900.0, 0.0]], requires_grad=True)
    known = torch.tensor([[[0.0, 1.0, 0.0]], [[-1e4, 1e4, float("nan")]]])
    loss, _ = DISTILLATION_LOSSES[name](DistillationSettings())(similarities, known)
    loss.backward()  # type: ignore[no-untyped-call]
    assert similarities.grad is not None
    assert bool(loss.isfinite())
    assert bool(similarities.grad.isfinite().all())
