"""Batches: padding, order, and picking rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train_samples import PADDING, mixed, ragged

from supertune.train import Batching, collate, epoch_order, sequential_order

LENGTHS = st.lists(st.integers(0, 30), max_size=200)


def test_collate_pads_on_the_right_and_masks_the_padding() -> None:
    features = ragged([3, 1, 5])
    batch = collate(features, np.array([2, 0]), {"input_ids": 7})
    rows = [features.tokens["input_ids"][4:9].tolist(), [*features.tokens["input_ids"][:3].tolist(), 7, 7]]
    assert batch["input_ids"].tolist() == rows
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch["labels"].tolist() == features.targets["labels"][[2, 0]].tolist()
    assert {value.dtype for value in batch.values()} == {torch.int64}


@given(LENGTHS.filter(bool), st.data())
def test_collate_loses_no_token_and_invents_none(lengths: list[int], data: st.DataObject) -> None:
    features = ragged(lengths)
    items = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=20)))
    batch = collate(features, items, PADDING)
    for row, item in enumerate(items):
        tokens = features.tokens["input_ids"][features.offsets[item] : features.offsets[item + 1]]
        assert batch["input_ids"][row, : len(tokens)].tolist() == tokens.tolist()
        assert not batch["input_ids"][row, len(tokens) :].any()
        assert batch["attention_mask"][row].sum() == len(tokens)
    assert batch["input_ids"].shape[1] == max(1, *(lengths[item] for item in items))


@given(LENGTHS, st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_an_epoch_holds_every_item_once(lengths: list[int], batch_size: int, seed: int, epoch: int) -> None:
    batches = epoch_order(ragged(lengths), Batching(batch_size), seed, epoch)
    assert sorted(int(item) for batch in batches for item in batch) == list(range(len(lengths)))
    sizes = sorted(len(batch) for batch in batches)
    assert len(batches) == -(-len(lengths) // batch_size)
    assert set(sizes[1:]) <= {batch_size}
    assert all(0 < size <= batch_size for size in sizes)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    features = mixed(300)

    def flat(seed: int, epoch: int) -> list[int]:
        np.random.seed(epoch)
        return np.concatenate(epoch_order(features, Batching(16), seed, epoch)).tolist()

    assert flat(3, 1) == flat(3, 1)
    assert flat(3, 1) != flat(3, 2)
    assert flat(3, 1) != flat(4, 1)


def test_epochs_mix_the_batches_anew() -> None:
    features = mixed(400)
    together = [
        {frozenset(map(int, batch)) for batch in epoch_order(features, Batching(8), seed=0, epoch=epoch)}
        for epoch in (0, 1)
    ]
    assert len(together[0] & together[1]) <= 1


def test_batches_do_not_come_in_order_of_length() -> None:
    features = mixed(800)
    means = [features.lengths[batch].mean() for batch in epoch_order(features, Batching(16), 0, 0)]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.4


def test_most_padding_disappears() -> None:
    lengths = np.random.default_rng(0).geometric(1 / 20, 4000).astype(np.int64)

    def padding(batches: list[np.ndarray]) -> float:
        padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
        return 1 - int(lengths.sum()) / padded

    shuffled = np.random.default_rng(1).permutation(len(lengths))
    assert padding(np.array_split(shuffled, 250)) > 0.6
    assert padding(epoch_order(ragged(lengths.tolist()), Batching(16), 0, 0)) < 0.1


@given(LENGTHS, st.integers(1, 40))
def test_prediction_order_is_a_partition_with_the_longest_first(lengths: list[int], batch_size: int) -> None:
    order = [int(item) for batch in sequential_order(np.array(lengths, np.int64), batch_size) for item in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[item] for item in order] == sorted(lengths, reverse=True)


@given(LENGTHS, st.data())
def test_take_is_slicing(lengths: list[int], data: st.DataObject) -> None:
    features = ragged(lengths)
    picks = st.lists(st.integers(0, len(lengths) - 1), max_size=30) if lengths else st.just([])
    items = np.array(data.draw(picks), np.int64)
    some = features.take(items)
    assert len(some) == len(items)
    for index, item in enumerate(items):
        got = some.tokens["input_ids"][some.offsets[index] : some.offsets[index + 1]]
        assert (
            got.tolist() == features.tokens["input_ids"][features.offsets[item] : features.offsets[item + 1]].tolist()
        )
    assert some.rows.tolist() == items.tolist()
    assert some.targets["labels"].tolist() == features.targets["labels"][items].tolist()
    assert some.full_lengths.tolist() == features.full_lengths[items].tolist()


def test_take_of_a_take_still_points_into_the_first_table() -> None:
    features = ragged([2, 3, 4, 5])
    assert features.take(np.array([3, 1, 0])).take(np.array([2, 0])).rows.tolist() == [0, 3]


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_rows(count: int) -> None:
    features = ragged([4] * count)
    assert len(epoch_order(features, Batching(16), 0, 0)) == count
    assert len(list(sequential_order(features.lengths, 16))) == count


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=300), st.integers(8, 400), st.integers(0, 5), st.integers(0, 3)
)
def test_a_token_budget_is_kept_and_every_item_is_in_one_batch(
    lengths: list[int], budget: int, seed: int, epoch: int
) -> None:
    numbers = np.array(lengths, np.int64)
    batches = epoch_order(ragged(lengths), Batching(tokens=budget), seed, epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * numbers[batch].max() <= budget


def test_a_token_budget_fills_its_batches() -> None:
    """Less than a tenth of the budget stays empty when texts are short beside it."""
    lengths = np.random.default_rng(0).integers(5, 40, 4000)
    batches = epoch_order(ragged(lengths.tolist()), Batching(tokens=1024), 0, 0)
    filled = [len(batch) * lengths[batch].max() / 1024 for batch in batches]
    assert np.mean(filled) > 0.9


@given(LENGTHS, st.integers(1, 40), st.booleans(), st.integers(0, 5))
def test_pairs_stand_together_and_nothing_is_lost(lengths: list[int], size: int, tokens: bool, epoch: int) -> None:
    features = ragged(lengths)
    how = Batching(rows=size, tokens=8 * size if tokens else None, paired_by="labels")
    batches = epoch_order(features, how, 0, epoch)
    order = [int(item) for batch in batches for item in batch]
    assert sorted(order) == list(range(len(lengths)))
    labels = features.targets["labels"][np.array(order, np.int64)]
    alone, at = 0, 0
    while at < len(labels):
        paired = at + 1 < len(labels) and labels[at] == labels[at + 1]
        alone, at = alone + (not paired), at + 1 + paired
    assert alone <= len(set(labels.tolist()))
    if tokens:
        assert all(
            len(batch) == 1 or len(batch) * max(lengths[item] for item in batch) <= 8 * size for batch in batches
        )


def test_pairs_of_different_lengths_meet() -> None:
    """Batches by length would show few rows the same company in every epoch."""
    features = ragged([3] * 20 + [15] * 20)
    how = Batching(rows=20, paired_by="labels")
    mixtures = [features.lengths[batch] for epoch in range(3) for batch in epoch_order(features, how, 0, epoch)]
    assert all(len(set(found.tolist())) == 2 for found in mixtures)
