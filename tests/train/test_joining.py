"""Parameters that begin to learn later than others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from train_samples import bert, mixed, plan, row_loss, weights

from supertune.errors import UserError
from supertune.strategies import build_strategy
from supertune.train import Learner, OptimizerSettings, Position, build_optimizer, schedule, train

LATE = "bert.encoder.layer.0."


def learner(model: Any, precision: Any, joins: dict[str, int]) -> Learner:
    strategy = build_strategy("partial", {"layers": 2})
    groups = strategy.parameter_groups(strategy.prepare(model), 1e-2, 0.01)
    return Learner(
        model,
        row_loss,
        groups,
        lambda given: build_optimizer("adamw", given, OptimizerSettings()),
        precision=precision,
        joins=joins,
    )


def late(model: Any) -> dict[str, int]:
    return {name: 3 for name, _ in model.named_parameters() if name.startswith(LATE)}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_nothing_of_it_moves_before_its_step_and_all_of_it_after(precision: str) -> None:
    model = bert()
    learning = learner(model, precision, late(model))
    features, how = mixed(48), plan(epochs=1)
    before = {name: value.clone() for name, value in learning.weights().items()}
    for event in train(learning, features, schedule("constant", 6, 0.0), how):
        if event.event != "step":
            continue
        now = learning.weights()
        moved = {name for name in before if not torch.equal(before[name], now[name])}
        joined = {name for name in moved if name.startswith(LATE)}
        assert bool(joined) is (event.step > 3)
        assert {name for name in moved if name.startswith("bert.encoder.layer.1.output")}
    # Whatever is added to all keys alike, the softmax over them does not see: AdamW decays no biases.
    assert {name for name in late(model) if not name.endswith("key.bias")} <= moved


def test_going_on_in_the_middle_comes_to_the_same() -> None:
    features, how, rate = mixed(48), plan(epochs=1), schedule("constant", 6, 0.0)
    whole = bert()
    list(train(learner(whole, "fp32", late(whole)), features, rate, how))
    for stop in (2, 3, 4):
        first = bert()
        learning, position = learner(first, "fp32", late(first)), Position()
        for _ in zip(range(stop), train(learning, features, rate, how, position), strict=False):
            pass
        second = bert()
        other = learner(second, "fp32", late(second))
        other.load_state_dict(learning.state_dict())
        list(train(other, features, rate, how, position))
        for name, value in weights(whole).items():
            assert torch.equal(weights(second)[name], value), (stop, name)


def test_layers_join_from_the_top_in_the_first_half() -> None:
    model = bert()
    strategy = build_strategy("partial", {"layers": 2, "gradual": True})
    shares = strategy.joins(strategy.prepare(model))
    assert {name.split(".layer.")[1][0] for name in shares} == {"0"}
    assert set(shares.values()) == {0.25}
    assert build_strategy("partial", {"layers": 2}).joins(model) == {}
    with pytest.raises(UserError, match="in no order"):
        build_strategy("partial", {"modules": ("*.1.*",), "gradual": True}).prepare(model)
