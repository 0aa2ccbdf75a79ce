"""Outputs belong to their rows, however they were batched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from train_samples import PADDING, bert, forward, mixed, ragged, row_loss

from supertune.train import collate, predict_outputs


def test_outputs_do_not_depend_on_the_batches() -> None:
    features, model = mixed(53), bert(dropout=0.1)
    alone = predict_outputs(model, features, forward, batch_size=1, padding=PADDING)
    assert alone.shape == (53, 3)
    assert alone.dtype == np.float32
    for batch_size in (2, 7, 64):
        together = predict_outputs(model, features, forward, batch_size=batch_size, padding=PADDING)
        np.testing.assert_allclose(together, alone, atol=1e-6)


def test_each_output_is_that_of_its_own_row() -> None:
    features, model = mixed(20), bert()
    outputs = predict_outputs(model, features, forward, batch_size=6, padding=PADDING)
    for item in range(20):
        ids = features.tokens["input_ids"][features.offsets[item] : features.offsets[item + 1]]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor(ids[None]).long()).logits[0]
        np.testing.assert_allclose(outputs[item], logits, atol=1e-6)


def test_what_the_padding_is_does_not_matter() -> None:
    features, model = mixed(20), bert()
    first, second = (
        predict_outputs(model, features, forward, batch_size=8, padding={"input_ids": token}) for token in (0, 9)
    )
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_the_mean_loss_does_not_depend_on_the_batches() -> None:
    features, model = mixed(50), bert().eval()
    means = []
    for batch_size in (1, 8, 50):
        summed = count = 0.0
        for at in range(0, 50, batch_size):
            with torch.no_grad():
                loss, items = row_loss(model, collate(features, np.arange(at, min(at + batch_size, 50)), PADDING))
            summed, count = summed + float(loss), count + float(items)
        means.append(summed / count)
    assert means == pytest.approx([means[0]] * 3, abs=1e-6)


def test_no_gradient_no_dropout_and_progress_to_the_end() -> None:
    features, model = mixed(21), bert(dropout=0.5).train()
    told: list[int] = []
    first = predict_outputs(model, features, forward, batch_size=8, padding=PADDING, progress=told.append)
    second = predict_outputs(model.train(), features, forward, batch_size=8, padding=PADDING)
    np.testing.assert_array_equal(first, second)
    assert told == [8, 16, 21]
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_bf16_outputs_come_as_fp32_and_close() -> None:
    features, model = mixed(20), bert()
    exact = predict_outputs(model, features, forward, batch_size=8, padding=PADDING)
    fast = predict_outputs(model.to(torch.bfloat16), features, forward, batch_size=8, padding=PADDING)
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, exact, atol=0.05)


def test_one_row() -> None:
    assert predict_outputs(bert(), ragged([1]), forward, batch_size=64, padding=PADDING).shape == (1, 3)
