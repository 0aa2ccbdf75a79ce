"""Losses that compare the items of a step: against plain loops, and the same however a step is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train_samples import bert, mixed

from supertune.contracts import Groups, ParameterGroup
from supertune.train import (
    BITS,
    RANKING_LOSSES,
    Batching,
    Coupled,
    Learner,
    OptimizerSettings,
    build_optimizer,
    collate,
    epoch_order,
    in_batch_both_ways,
    use_fast_dropout,
)
from supertune.train.coupled import even_pieces


def relevances(random: np.random.Generator, queries: int, passages: int) -> np.ndarray[Any, Any]:
    grades = random.integers(0, 3, (queries, passages)) * (random.random((queries, passages)) < 0.3)
    return grades.astype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_every_query_picks_its_passages_out_of_those_that_it_does_not_ask_for(seed: int) -> None:
    random = np.random.default_rng(seed)
    similarities, relevance = random.normal(size=(4, 6)) * 3, relevances(random, 4, 6)
    expected, pairs = 0.0, 0
    for query in range(4):
        wrong = np.exp(similarities[query][relevance[query] == 0]).sum()
        for passage in np.flatnonzero(relevance[query]):
            right = np.exp(similarities[query, passage])
            expected -= np.log(right / (right + wrong))
            pairs += 1
    loss, count = RANKING_LOSSES["in_batch"](torch.tensor(similarities), torch.tensor(relevance))
    assert (float(loss), int(count)) == (pytest.approx(expected, abs=1e-4), pairs)
    both, _ = in_batch_both_ways(torch.tensor(similarities), torch.tensor(relevance))
    other, _ = RANKING_LOSSES["in_batch"](torch.tensor(similarities.T), torch.tensor(relevance.T))
    assert float(both) == pytest.approx((float(loss) + float(other)) / 2, abs=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_more_relevant_pairs_are_to_lie_nearer(seed: int) -> None:
    random = np.random.default_rng(seed)
    similarities, relevance = random.normal(size=(3, 4)), relevances(random, 3, 4)
    values, grades = similarities.ravel(), relevance.ravel()
    wrong = [
        np.exp(a - b) for a, x in zip(values, grades, strict=True) for b, y in zip(values, grades, strict=True) if x < y
    ]
    loss, count = RANKING_LOSSES["cosent"](torch.tensor(similarities), torch.tensor(relevance))
    assert int(count) == (grades > 0).sum()
    assert float(loss) == pytest.approx(np.log1p(sum(wrong)) * int(count), abs=1e-4)


@pytest.mark.parametrize("name", list(RANKING_LOSSES))
@pytest.mark.parametrize("relevant", [0.0, 1.0])
def test_nothing_to_compare_with_is_no_loss_and_has_a_gradient(name: str, relevant: float) -> None:
    similarities = torch.randn(2, 3, requires_grad=True)
    loss, count = RANKING_LOSSES[name](similarities, torch.full((2, 3), relevant))
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert int(count) == 6 * relevant
    assert similarities.grad is not None
    assert not similarities.grad.any()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 8))
def test_pieces_hold_every_item_once_and_pad_no_more_than_the_whole(lengths: list[int], pieces: int) -> None:
    ordered = np.sort(np.array(lengths, np.int64))
    found = even_pieces(np.arange(len(ordered)), ordered, pieces)
    assert np.concatenate(found).tolist() == list(range(len(ordered)))
    assert all(map(len, found))
    assert sum(len(piece) * ordered[piece].max() for piece in found) <= len(ordered) * ordered[-1]


def test_short_and_long_items_are_computed_apart() -> None:
    lengths = np.array([4, 5, 5, 90, 100], np.int64)
    assert [piece.tolist() for piece in even_pieces(np.arange(5), lengths, 1)] == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_in_pieces_has_the_gradient_of_the_whole(precision: Any) -> None:
    """With dropout: a piece that is computed twice must drop the same both times."""
    features = mixed(9)
    found = {}
    for pieces, cached in ((1, False), (3, False), (1, True)):
        model = bert(dropout=0.2)
        use_fast_dropout(model)
        BITS.seed(7)
        torch.manual_seed(7)
        learner = coupled_learner(model, precision)
        parts = np.array_split(np.arange(9), pieces)
        loss, count = learner.gradients([collate(features, part, {"input_ids": 0}) for part in parts], cached=cached)
        assert count == 9
        gradients = {
            name: tensor.grad.clone() for name, tensor in learner.masters.tensors.items() if tensor.grad is not None
        }
        found[pieces, cached] = loss, gradients
    whole = found[1, False]
    tolerance = 1e-5 if precision == "fp32" else 0.02 * max(float(value.abs().max()) for value in whole[1].values())
    assert found[1, True][0] == pytest.approx(whole[0], rel=1e-3)
    for name, expected in whole[1].items():
        torch.testing.assert_close(found[1, True][1][name], expected, atol=tolerance, rtol=1e-3)
    assert found[3, False][0] != whole[0], "other pieces draw other dropout"


def test_cached_pieces_have_the_gradient_of_pieces_that_are_held() -> None:
    features = mixed(9)
    found = []
    for cached in (False, True):
        model = bert(dropout=0.2)
        use_fast_dropout(model)
        BITS.seed(3)
        torch.manual_seed(3)
        learner = coupled_learner(model, "fp32")
        parts = np.array_split(np.arange(9), 4)
        loss, _ = learner.gradients([collate(features, part, {"input_ids": 0}) for part in parts], cached=cached)
        found.append((loss, {name: tensor.grad for name, tensor in learner.masters.tensors.items()}, BITS.state_dict()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    for name, expected in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], expected, atol=1e-6, rtol=1e-4)
    assert found[0][2] == found[1][2], "what comes after draws the same"


def test_groups_are_in_one_batch_and_each_of_them_once() -> None:
    features = mixed(12)
    items = np.array([[0, 6, -1], [1, 6, 7], [2, 8, -1], [3, 9, 10], [4, 11, -1]])
    grouped = _with_groups(features, items)
    order = epoch_order(grouped, Batching(rows=2), seed=0, epoch=1)
    assert len(order) == 3
    whole = [set(row[row >= 0].tolist()) for row in items]
    for batch in order:
        assert np.array_equal(batch, np.unique(batch)[np.argsort(features.lengths[np.unique(batch)], kind="stable")])
    held = [[group for group in whole if group <= set(batch.tolist())] for batch in order]
    assert sum(map(len, held)) >= len(whole)
    assert all(any(group <= set(batch.tolist()) for batch in order) for group in whole)
    again = epoch_order(grouped, Batching(rows=2), seed=0, epoch=1)
    assert [batch.tolist() for batch in order] == [batch.tolist() for batch in again]


def _with_groups(features: Any, items: np.ndarray[Any, Any]) -> Any:
    from dataclasses import replace

    return replace(features, groups=Groups(items, np.ones(len(items), np.float32)))


def coupled_learner(model: Any, precision: Any) -> Learner:
    """The variance of all outputs around their mean: no item's loss is its own."""

    def criterion(outputs: torch.Tensor, targets: Any) -> tuple[torch.Tensor, torch.Tensor]:
        values = outputs.float()
        loss = ((values - values.mean(0)) ** 2).sum() + (values * targets["labels"][:, None]).sum()
        return loss, torch.tensor(len(values))

    def forward(model: Any, batch: Any) -> torch.Tensor:
        logits: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return logits

    groups = [ParameterGroup(tuple(name for name, _ in model.named_parameters()), 1e-3, 0.0)]
    return Learner(
        model,
        Coupled(forward, criterion),
        groups,
        lambda given: build_optimizer("sgd", given, OptimizerSettings()),
        precision=precision,
    )
