"""The loop against a plain one, and what it promises about steps, pieces, randomness and divergence."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from train_samples import bert, forward, learner, mixed, plan, ragged, row_loss, run, token_loss, weights

from supertune.contracts import Event, Features
from supertune.strategies import FullStrategy
from supertune.train import Learner, Plan, Regularisation, predict_outputs, schedule, torch_seed, train

RATE, DECAY = 1e-4, 0.01


def steps_of(events: list[Event]) -> list[Mapping[str, Any]]:
    return [event.values for event in events if event.event == "step"]


def assert_same_weights(first: torch.nn.Module, second: torch.nn.Module, tolerance: float) -> None:
    for (name, value), other in zip(weights(first).items(), weights(second).values(), strict=True):
        torch.testing.assert_close(value, other, atol=tolerance, rtol=0, msg=lambda text, n=name: f"{n}: {text}")


def plain_loop(model: Any, features: Features, how: Plan, clip_norm: float) -> tuple[list[float], list[float]]:
    """The same training written out with nothing of ours but the order of the rows."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    plain = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8, foreach=False, fused=False)
    total = how.steps(features)
    climbing = int(np.ceil(total * 0.1))
    shares = [(step + 1) / (climbing + 1) for step in range(climbing)]
    shares += [1 - (step - climbing) / (total - climbing) for step in range(climbing, total)]
    losses, norms = [], []
    model.train()
    for epoch in range(how.epochs):
        for items in how.order(features, epoch):
            rows = [
                torch.tensor(features.tokens["input_ids"][features.offsets[item] : features.offsets[item + 1]]).long()
                for item in items
            ]
            ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=0)
            # Token 0 is never drawn for a row: it is padding alone.
            logits = model(input_ids=ids, attention_mask=(ids != 0).long()).logits
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(features.targets["labels"][items]))
            optimizer.zero_grad()
            loss.backward()
            norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)))
            for group in optimizer.param_groups:
                group["lr"] = RATE * shares[len(losses)]
            optimizer.step()
            losses.append(loss.item())
    return losses, norms


def test_it_is_the_plain_loop_step_for_step() -> None:
    features, how = mixed(45), plan(epochs=17)
    ours, reference = bert(), bert()
    events = run(ours, features, how, clip_norm=0.35)
    losses, norms = plain_loop(reference, features, how, 0.35)
    assert len(losses) == 102
    assert [values["loss"] for values in steps_of(events)] == pytest.approx(losses, abs=1e-6)
    assert [values["gradient_norm"] for values in steps_of(events)] == pytest.approx(norms, abs=1e-5)
    assert max(norms) > 0.35 > min(norms), "some steps must clip, others not"
    assert_same_weights(ours, reference, 1e-6)


@pytest.mark.parametrize("loss", [row_loss, token_loss])
@pytest.mark.parametrize("pieces", [2, 3, 8])
def test_pieces_of_a_step_change_nothing(loss: Any, pieces: int) -> None:
    features = mixed(13, seed=3)
    whole, cut = bert(), bert()
    in_one = run(whole, features, plan(epochs=2), loss=loss)
    in_pieces = run(cut, features, plan(epochs=2, accumulate=pieces), loss=loss)
    for one, other in zip(in_one, in_pieces, strict=True):
        assert (one.event, one.step) == (other.event, other.step)
        assert one.values == pytest.approx(other.values, abs=1e-6)
    assert_same_weights(whole, cut, 1e-6)


def test_a_mean_of_means_would_be_noticed() -> None:
    """Guards the test above: the wrong division differs by far more than its tolerance."""

    def wrong(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        summed, count = token_loss(model, batch)
        return summed / count, torch.tensor(1)

    whole, cut = bert(), bert()
    run(whole, mixed(13, seed=3), plan(), loss=wrong)
    run(cut, mixed(13, seed=3), plan(accumulate=4), loss=wrong)
    with pytest.raises(AssertionError):
        assert_same_weights(whole, cut, 1e-6)


def test_the_last_smaller_batch_is_a_step() -> None:
    features = mixed(19)
    events = run(bert(), features, plan(epochs=2))
    items = [values["items"] for values in steps_of(events)]
    assert sorted(items[:3]) == [3, 8, 8]
    assert sum(items) == 38
    assert sum(values["tokens"] for values in steps_of(events)) == 2 * features.lengths.sum()
    assert [event.step for event in events] == [1, 2, 3, 3, 4, 5, 6, 6]


def test_fewer_rows_than_a_batch_still_train() -> None:
    model = bert()
    before = weights(model)
    events = run(model, mixed(3), plan(batch_size=64, accumulate=16))
    assert [event.event for event in events] == ["step", "epoch"]
    assert any(not torch.equal(before[name], value) for name, value in weights(model).items())


def test_the_loss_of_an_epoch_is_weighted_by_items() -> None:
    """Trained at a rate that changes nothing, the epoch's loss is the mean over all items, whatever the batches."""
    features = mixed(37)
    losses = [
        run(bert(), features, plan(batch_size=size), loss=token_loss, rate=1e-12)[-1].values["loss"]
        for size in (1, 5, 8, 64)
    ]
    assert losses == pytest.approx([losses[0]] * 4, abs=1e-6)


def test_the_rate_climbs_to_its_peak_and_falls() -> None:
    rates = [values["learning_rate"] for values in steps_of(run(bert(), mixed(80), plan(epochs=2), rate=1e-3))]
    assert len(rates) == 20
    assert rates[0] == pytest.approx(1e-3 / 3)
    assert max(rates) == rates[2] == pytest.approx(1e-3)
    assert 0 < rates[-1] < 1e-4
    assert rates[2:] == sorted(rates[2:], reverse=True)


def test_no_clipping_at_zero() -> None:
    """One SGD step moves by the gradient itself, and by the clipped one in the same direction."""

    def moved(clip_norm: float) -> tuple[torch.Tensor, float]:
        model = bert()
        before = torch.cat([value.flatten() for value in model.parameters()]).detach().clone()
        learning = Learner(
            model,
            row_loss,
            FullStrategy().parameter_groups(model, 1.0, 0.0),
            torch.optim.SGD,
            regularisation=Regularisation(clip_norm=clip_norm),
        )
        (event, _) = train(learning, mixed(8), lambda step: 1.0, plan())
        after = torch.cat([value.flatten() for value in model.parameters()]).detach()
        return before - after, event.values["gradient_norm"]

    free, norm = moved(0.0)
    clipped, norm_again = moved(0.1)
    assert norm == norm_again
    assert norm > 0.1
    assert float(free.norm()) == pytest.approx(norm, rel=1e-4)
    assert float(clipped.norm()) == pytest.approx(0.1, rel=1e-3)
    torch.testing.assert_close(clipped, free * (0.1 / norm), atol=1e-6, rtol=1e-3)


def train_with_dropout(seed: int) -> dict[str, torch.Tensor]:
    model = bert(dropout=0.1, seed=torch_seed(seed, "head"))
    torch.manual_seed(torch_seed(seed, "dropout"))
    run(model, mixed(40), plan(seed=seed))
    return weights(model)


def digest(values: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in values.values())).hexdigest()


def test_the_same_seed_gives_the_same_weights_to_the_last_bit() -> None:
    first, second = train_with_dropout(1), train_with_dropout(1)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_another_seed_gives_other_weights() -> None:
    first, second = train_with_dropout(1), train_with_dropout(2)
    assert not torch.equal(first["classifier.weight"], second["classifier.weight"])


def test_a_fresh_process_gives_the_same_weights() -> None:
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
import torch
torch.set_num_threads(1)
from test_train_loop import digest, train_with_dropout
print(digest(train_with_dropout(1)))
"""
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == digest(train_with_dropout(1))


def test_dropout_stays_on_when_a_consumer_predicts_between_steps() -> None:
    features, model = mixed(32), bert(dropout=0.1)
    seen: list[bool] = []

    def loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(model.training)
        return row_loss(model, batch)

    for _ in train(learner(model, loss), features, schedule("constant", 8, 0.0), plan(epochs=2)):
        predict_outputs(model, features, forward, batch_size=8, padding={})
        assert not model.training
    assert seen == [True] * 8


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_is_an_error(value: float) -> None:
    def loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        summed, count = row_loss(model, batch)
        return summed + value, count

    model = bert()
    before = weights(model)
    with pytest.raises(FloatingPointError, match="loss"):
        run(model, mixed(8), plan(), loss=loss)
    assert all(torch.equal(before[name], value) for name, value in weights(model).items())


def test_a_gradient_that_is_no_number_is_an_error_before_it_ruins_the_weights() -> None:
    def loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        logits = forward(model, batch)
        return (logits - logits.detach()).abs().sqrt().sum(), torch.tensor(len(logits))

    model = bert()
    before = weights(model)
    with pytest.raises(FloatingPointError, match="gradient"):
        run(model, mixed(8), plan(), loss=loss)
    assert all(torch.equal(before[name], value) for name, value in weights(model).items())


def test_a_rate_that_is_far_too_high_diverges_loudly() -> None:
    with pytest.raises(FloatingPointError):
        run(bert(), mixed(64), plan(epochs=5), rate=1e18, clip_norm=0.0)


def test_it_learns_what_can_be_learned() -> None:
    features, model = ragged([3] * 160), bert()
    run(model, features, plan(epochs=6, batch_size=16), rate=5e-3)
    outputs = predict_outputs(model, features, forward, batch_size=64, padding={})
    assert (outputs.argmax(axis=1) == features.targets["labels"]).mean() > 0.95


def test_bf16_keeps_fp32_weights_and_lands_near_fp32() -> None:
    """Pure bfloat16 weights would lose every update smaller than a 256th of the weight."""
    exact, fast = bert(), bert()
    run(exact, mixed(40), plan(epochs=2), rate=1e-4)
    run(fast, mixed(40), plan(epochs=2), rate=1e-4, precision="bf16")
    assert {value.dtype for value in fast.parameters()} == {torch.float32}
    moved = weights(fast)["classifier.weight"] - weights(bert())["classifier.weight"]
    wanted = weights(exact)["classifier.weight"] - weights(bert())["classifier.weight"]
    assert torch.nn.functional.cosine_similarity(moved.flatten(), wanted.flatten(), dim=0) > 0.9


def test_once_is_one_step_over_everything() -> None:
    how = plan(epochs=4, accumulate=3).once()
    assert (how.epochs, how.steps(ragged([1] * 10_000)), how.accumulate) == (1, 1, 3)
    assert [plan(batch_size=8).steps(ragged([1] * items)) for items in (1, 8, 9, 16)] == [1, 1, 2, 2]
