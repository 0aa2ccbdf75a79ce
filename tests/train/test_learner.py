"""Masters, row-wise embeddings, penalties and averages: what the weights do in a step, against plain ways."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from train_samples import bert, forward, learner, mixed, plan, row_loss, run, weights

from supertune.contracts import Features
from supertune.train import Position, collate, predict_outputs, schedule, train


def losses(events: Any) -> list[float]:
    return [event.values["loss"] for event in events if event.event == "step"]


def assert_close(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], tolerance: float) -> None:
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], atol=tolerance, rtol=0, msg=lambda text, n=name: f"{n}: {text}")


# ---------------------------------------------------------------------------------------------- masters


def test_bf16_computes_in_bf16_learns_in_fp32_and_gives_fp32_back() -> None:
    model = bert()
    learning = learner(model, precision="bf16")
    assert {value.dtype for value in model.parameters()} == {torch.bfloat16}
    assert {value.dtype for value in learning.weights().values()} == {torch.float32}
    assert_close(learning.weights(), weights(bert()), 0.0)
    list(train(learning, mixed(8), schedule("constant", 1, 0.0), plan()))
    trained = {name: value.clone() for name, value in learning.weights().items()}
    learning.release()
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert_close(weights(model), trained, 0.0)


def test_updates_too_small_for_bf16_are_not_lost() -> None:
    """At this rate a step moves a weight by less than half of bfloat16's spacing around it."""
    model = bert()
    run(model, mixed(80), plan(epochs=2), rate=1e-6, decay=0.0, precision="bf16")
    moved = (
        weights(model)["bert.encoder.layer.0.output.dense.weight"]
        - weights(bert())["bert.encoder.layer.0.output.dense.weight"]
    ).abs()
    assert float(moved.mean()) > 2e-6


def test_what_is_frozen_is_held_in_bf16_and_does_not_move() -> None:
    model = bert()
    model.bert.requires_grad_(False)
    before = weights(model)
    run(model, mixed(16), plan(), rate=1e-2, precision="bf16")
    after = weights(model)
    assert torch.equal(after["bert.pooler.dense.weight"], before["bert.pooler.dense.weight"].bfloat16().float())
    assert not torch.equal(after["classifier.weight"], before["classifier.weight"])


def test_pieces_accumulate_in_fp32() -> None:
    """Sixteen bfloat16 gradients added in bfloat16 would lose most of what the last ones bring."""
    features = mixed(16, seed=5)

    def gradient(pieces: int) -> torch.Tensor:
        learning = learner(bert(), precision="bf16")
        batches = [collate(features, items, {"input_ids": 0}) for items in torch.arange(16).numpy().reshape(pieces, -1)]
        learning.gradients(batches)
        found = learning.masters.tensors["classifier.weight"].grad
        assert found is not None
        assert found.dtype == torch.float32
        return found

    exact = learner(bert())
    exact.gradients([collate(features, torch.arange(16).numpy(), {"input_ids": 0})])
    wanted = exact.masters.tensors["classifier.weight"].grad
    assert wanted is not None
    scale = float(wanted.abs().max())
    assert float((gradient(16) - wanted).abs().max()) < 0.03 * scale


# ------------------------------------------------------------------------------------------------ rows


@pytest.mark.parametrize("clip_norm", [0.0, 0.3])
def test_rows_in_use_end_where_dense_adam_takes_every_row(clip_norm: float) -> None:
    """The documented difference, a thousandth of a row's change; here over 60 steps and rows used rarely."""
    features, how = rare_tokens(), plan(epochs=6, batch_size=4)
    dense, rows = bert(), bert()
    options: dict[str, Any] = {"rate": 1e-3, "decay": 0.01, "clip_norm": clip_norm}
    expected = run(dense, features, how, **options)
    found = run(rows, features, how, rows=True, **options)
    assert losses(found) == pytest.approx(losses(expected), abs=2e-5)
    changed = (
        (
            weights(dense)["bert.embeddings.word_embeddings.weight"]
            - weights(bert())["bert.embeddings.word_embeddings.weight"]
        )
        .abs()
        .max()
    )
    assert float(changed) > 5e-3
    assert_close(weights(rows), weights(dense), 2e-5)


def rare_tokens() -> Features:
    """40 rows in which most tokens occur once or twice."""
    return mixed(40, longest=4, seed=7)


def test_without_catching_up_the_difference_would_show() -> None:
    """Guards the test above: lazy Adam, which forgets the missed steps, is hundreds of times further off."""
    features, how = rare_tokens(), plan(epochs=6, batch_size=4)
    dense, lazy = bert(), bert()
    run(dense, features, how, rate=1e-3)
    learning = learner(lazy, rate=1e-3, rows=True)
    learning._rows.serve(lambda weight, rows: None)  # type: ignore[union-attr]
    list(train(learning, features, schedule("linear", how.steps(features), 0.1), how))
    difference = (
        weights(dense)["bert.embeddings.word_embeddings.weight"]
        - weights(lazy)["bert.embeddings.word_embeddings.weight"]
    )
    assert float(difference.abs().max()) > 2e-3


def test_predicting_between_steps_reads_caught_up_rows_and_changes_nothing() -> None:
    features, how = rare_tokens(), plan(epochs=3, batch_size=4)
    quiet, watched = bert(), bert()
    run(quiet, features, how, rate=1e-3, rows=True)
    learning = learner(watched, rate=1e-3, rows=True)
    for _ in train(learning, features, schedule("linear", how.steps(features), 0.1), how):
        predict_outputs(watched, features, forward, batch_size=8, padding={})
    learning.release()
    assert_close(weights(watched), weights(quiet), 5e-6)


def test_rows_in_bf16_give_bf16_and_keep_fp32() -> None:
    model = bert()
    learning = learner(model, rows=True, precision="bf16")
    embedding = model.get_input_embeddings()
    assert embedding.weight.dtype == torch.float32
    assert embedding(torch.tensor([[1, 2]])).dtype == torch.bfloat16
    list(train(learning, mixed(16), schedule("constant", 2, 0.0), plan()))
    learning.release()
    assert embedding(torch.tensor([[1, 2]])).dtype == torch.float32
    assert not embedding.sparse


# ------------------------------------------------------------------------------------ state, one for all


@pytest.mark.parametrize("options", [{}, {"rows": True}, {"averaging": "ema"}, {"averaging": "uniform"}], ids=str)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_state_goes_on_to_the_same_weights(options: dict[str, Any], precision: str) -> None:
    """Stopped in the middle of an epoch, in the middle of a catch-up, and put into a fresh model."""
    features, how = rare_tokens(), plan(epochs=3, batch_size=4)
    rate = schedule("linear", how.steps(features), 0.1)
    whole = learner(bert(), rate=1e-3, precision=precision, **options)
    list(train(whole, features, rate, how))

    first, position = learner(bert(), rate=1e-3, precision=precision, **options), Position()
    for event in train(first, features, rate, how, position):
        if event.step == 14:
            break
    state, place = first.state_dict(), position.state_dict()
    second, again = learner(bert(seed=3), rate=1e-3, precision=precision, **options), Position()
    second.load_state_dict(state)
    again.load_state_dict(place)
    events = list(train(second, features, rate, how, again))
    assert [event.step for event in events if event.event == "step"] == list(range(15, 31))
    found, wanted = second.weights(), whole.weights()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_it_is_validated_and_exported_with_the_average() -> None:
    features = mixed(16)
    model = bert()
    learning = learner(model, rate=1e-2, averaging="ema", ema_decay=0.9)
    list(train(learning, features, schedule("constant", 2, 0.0), plan()))
    last = {name: value.detach().clone() for name, value in learning.masters.tensors.items()}
    average = {name: value.clone() for name, value in learning.weights().items()}
    assert not torch.equal(average["classifier.weight"], last["classifier.weight"])
    with learning.evaluating():
        assert torch.equal(model.classifier.weight, average["classifier.weight"])
    assert torch.equal(model.classifier.weight, last["classifier.weight"])


@pytest.mark.parametrize(("l1", "l2"), [(0.01, 0.0), (0.0, 0.05), (0.01, 0.05)])
def test_penalties_are_terms_of_the_mean_loss(l1: float, l2: float) -> None:
    """The gradient equals that of the loss with its penalties written out, whatever the number of rows."""
    features, model, reference = mixed(12), bert(), bert()
    learning = learner(model, l1=l1, l2=l2, clip_norm=0.0, rate=1e-9)
    (event, _) = train(learning, features, lambda step: 1.0, plan(batch_size=12))
    batch = collate(features, torch.arange(12).numpy(), {"input_ids": 0})
    loss, count = row_loss(reference, batch)
    matrices = [value for value in reference.parameters() if value.ndim > 1]
    penalty = sum(l1 * value.abs().sum() + l2 / 2 * value.square().sum() for value in matrices)
    (loss / count + penalty).backward()
    wanted = torch.nn.utils.get_total_norm([value.grad for value in reference.parameters() if value.grad is not None])
    assert event.values["gradient_norm"] == pytest.approx(float(wanted), rel=1e-4)
