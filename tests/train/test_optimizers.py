"""Every optimizer against its algorithm written out in numpy, its groups, and its state saved and loaded."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from train_samples import PADDING, bert, mixed, row_loss

from supertune.config import TrainConfig
from supertune.errors import UserError
from supertune.train.batches import collate
from supertune.train.optimizers.building import OPTIMIZERS, RATE_FACTORS, OptimizerSettings, build_optimizer
from supertune.train.optimizers.muon import hidden_matrices

Array = NDArray[np.float64]
Rule = Iterator[Array]

NAMES = sorted(OPTIMIZERS)
HIDDEN = OptimizerSettings(hidden=frozenset({"matrix"}))
SHAPES = {"matrix": (4, 6), "table": (5, 3), "vector": (7,)}
RATES = {"matrix": (0.02, 0.1), "table": (0.05, 0.3), "vector": (0.01, 0.0)}
"""Name → (rate, weight decay)."""
STEPS = 7


def parameters(seed: int = 0) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(seed)
    return {
        name: torch.tensor(random.normal(size=shape), dtype=torch.float32, requires_grad=True)
        for name, shape in SHAPES.items()
    }


def groups_of(tensors: Mapping[str, torch.Tensor]) -> list[dict[str, Any]]:
    return [
        {"params": [(name, tensor)], "lr": RATES[name][0], "weight_decay": RATES[name][1]}
        for name, tensor in tensors.items()
    ]


def gradients(step: int) -> dict[str, Array]:
    random = np.random.default_rng(100 + step)
    return {name: random.normal(size=shape) * 0.3 for name, shape in SHAPES.items()}


def take_steps(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], steps: range) -> None:
    for step in steps:
        optimizer.zero_grad(set_to_none=True)
        for name, gradient in gradients(step).items():
            tensors[name].grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()


# ------------------------------------------------------- the algorithms: they take gradients, and give new values


def adamw_rule(value: Array, rate: float, decay: float, *, corrected: bool = True, betas: Any = (0.9, 0.999)) -> Any:
    first, second = np.zeros_like(value), np.zeros_like(value)
    for t in range(1, 1000):
        gradient = yield value
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        one, two = (1 - betas[0] ** t, 1 - betas[1] ** t) if corrected else (1, 1)
        value = value - rate * decay * value - rate * (first / one) / (np.sqrt(second / two) + 1e-8)


def adam_rule(value: Array, rate: float, decay: float, *, corrected: bool = True) -> Any:
    return adamw_rule(value, rate, 0.0, corrected=corrected)


def sgd_rule(value: Array, rate: float, decay: float, *, momentum: float = 0.9, nesterov: bool = False) -> Any:
    speed = np.zeros_like(value)
    while True:
        gradient = yield value
        speed = momentum * speed + gradient
        value = value - rate * decay * value - rate * (gradient + momentum * speed if nesterov else speed)


def rmsprop_rule(value: Array, rate: float, decay: float, *, momentum: float = 0.0) -> Any:
    second, speed = np.zeros_like(value), np.zeros_like(value)
    while True:
        gradient = yield value
        second = 0.99 * second + 0.01 * gradient**2
        speed = momentum * speed + gradient / (np.sqrt(second) + 1e-8)
        value = value - rate * decay * value - rate * speed


def lion_rule(value: Array, rate: float, decay: float, *, betas: tuple[float, float] = (0.9, 0.99)) -> Any:
    average = np.zeros_like(value)
    while True:
        gradient = yield value
        direction = np.sign(betas[0] * average + (1 - betas[0]) * gradient)
        value = value - rate * (direction + decay * value)
        average = betas[1] * average + (1 - betas[1]) * gradient


def adafactor_rule(value: Array, rate: float, decay: float) -> Any:
    """Shazeer and Stern 2018, algorithms 4 and 5, with the relative step bounded by the rate."""
    rows, columns, whole = np.zeros(value.shape[:1]), np.zeros(value.shape[-1:]), np.zeros_like(value)
    for t in range(1, 1000):
        gradient = yield value
        keep = 1 - t**-0.8
        squares = gradient**2
        if value.ndim > 1:
            rows = keep * rows + (1 - keep) * squares.mean(axis=1)
            columns = keep * columns + (1 - keep) * squares.mean(axis=0)
            estimate = np.outer(rows, columns) / rows.mean()
        else:
            estimate = whole = keep * whole + (1 - keep) * squares
        update = gradient / np.sqrt(estimate)
        update = update / max(1.0, math.sqrt((update**2).mean()))
        length = max(1e-3, math.sqrt((value**2).mean())) * min(rate, t**-0.5)
        value = value - rate * decay * value - length * update


def muon_rule(value: Array, rate: float, decay: float, *, momentum: float = 0.95, nesterov: bool = True) -> Any:
    """Jordan et al. 2024 and, for the length of the step, Liu et al. 2025, equation 4."""
    average = np.zeros_like(value)
    while True:
        gradient = yield value
        average = momentum * average + (1 - momentum) * gradient
        update = momentum * average + (1 - momentum) * gradient if nesterov else average
        update = update / np.linalg.norm(update)
        for _ in range(5):
            square = update @ update.T
            update = 3.4445 * update + (-4.7750 * square + 2.0315 * square @ square) @ update
        value = value - rate * decay * value - rate * 0.2 * math.sqrt(max(value.shape)) * update


CASES: list[tuple[str, str, OptimizerSettings, Callable[..., Any], dict[str, Any]]] = [
    ("adamw", "adamw", OptimizerSettings(), adamw_rule, {}),
    ("adamw-betas", "adamw", OptimizerSettings(betas=(0.8, 0.95)), adamw_rule, {"betas": (0.8, 0.95)}),
    ("adamw-bert", "adamw", OptimizerSettings(bias_correction=False), adamw_rule, {"corrected": False}),
    ("adam", "adam", OptimizerSettings(), adam_rule, {}),
    ("adam-bert", "adam", OptimizerSettings(bias_correction=False), adam_rule, {"corrected": False}),
    ("sgd", "sgd", OptimizerSettings(), sgd_rule, {}),
    ("sgd-plain", "sgd", OptimizerSettings(momentum=0.0), sgd_rule, {"momentum": 0.0}),
    ("sgd-nesterov", "sgd", OptimizerSettings(nesterov=True), sgd_rule, {"nesterov": True}),
    ("rmsprop", "rmsprop", OptimizerSettings(), rmsprop_rule, {}),
    ("rmsprop-momentum", "rmsprop", OptimizerSettings(momentum=0.5), rmsprop_rule, {"momentum": 0.5}),
    ("adafactor", "adafactor", OptimizerSettings(), adafactor_rule, {}),
    ("lion", "lion", OptimizerSettings(), lion_rule, {}),
    ("lion-betas", "lion", OptimizerSettings(betas=(0.95, 0.98)), lion_rule, {"betas": (0.95, 0.98)}),
    ("muon", "muon", HIDDEN, muon_rule, {}),
    ("muon-bert", "muon", OptimizerSettings(bias_correction=False, hidden=HIDDEN.hidden), muon_rule, {}),
    (
        "muon-plain",
        "muon",
        OptimizerSettings(momentum=0.8, nesterov=False, hidden=HIDDEN.hidden),
        muon_rule,
        {"momentum": 0.8, "nesterov": False},
    ),
]


def test_every_optimizer_of_the_configuration_is_there_and_no_other() -> None:
    assert set(OPTIMIZERS) == set(RATE_FACTORS) == set(get_args(TrainConfig.model_fields["optimizer"].annotation))
    assert {name for _, name, *_ in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize(("name", "settings", "rule", "options"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_steps_are_those_of_the_algorithm(
    name: str, settings: OptimizerSettings, rule: Callable[..., Any], options: Mapping[str, Any]
) -> None:
    tensors = parameters()
    optimizer = build_optimizer(name, groups_of(tensors), settings)
    rules = {}
    for key, tensor in tensors.items():
        # What is no hidden matrix is AdamW's.
        rest = name == "muon" and key != "matrix"
        chosen = partial(adamw_rule, corrected=settings.bias_correction) if rest else partial(rule, **options)
        rules[key] = chosen(tensor.detach().numpy().astype(np.float64), *RATES[key])
    for rule_of in rules.values():
        next(rule_of)
    for step in range(STEPS):
        take_steps(optimizer, tensors, range(step, step + 1))
        for key, tensor in tensors.items():
            expected = rules[key].send(gradients(step)[key])
            # torch orthogonalises in bfloat16: 8 bits of a step that is at most 0.02 · 0.2 · √6 long.
            tolerance = 5e-4 * (step + 1) if name == "muon" and key == "matrix" else 2e-6
            np.testing.assert_allclose(tensor.detach().numpy(), expected, rtol=0, atol=tolerance, err_msg=key)


@pytest.mark.parametrize("name", ["adamw", "adam"])
def test_without_bias_correction_the_first_step_is_longer_by_the_known_factor(name: str) -> None:
    moved = []
    for corrected in (True, False):
        tensors = {"vector": torch.zeros(3, requires_grad=True)}
        settings = OptimizerSettings(bias_correction=corrected)
        optimizer = build_optimizer(name, [{"params": [tensors["vector"]], "lr": 0.1, "weight_decay": 0.5}], settings)
        tensors["vector"].grad = torch.tensor([1.0, -2.0, 3.0])
        optimizer.step()
        moved.append(tensors["vector"].detach())
    torch.testing.assert_close(moved[1] / moved[0], torch.full((3,), 0.1 / math.sqrt(0.001)))


# ---------------------------------------------------------------------------------- what holds for all of them


@pytest.mark.parametrize("name", NAMES)
def test_the_rate_of_every_group_can_be_changed_before_a_step(name: str) -> None:
    """The loop writes the schedule's rate into every group; at rate 0 nothing moves, decay included."""
    tensors = parameters()
    optimizer = build_optimizer(name, groups_of(tensors), HIDDEN)
    take_steps(optimizer, tensors, range(2))
    assert sorted(group["lr"] for group in optimizer.param_groups) == sorted(rate for rate, _ in RATES.values())
    for loaded in (False, True):
        if loaded:
            optimizer.load_state_dict(optimizer.state_dict())
        for rate in (0.1, 0.0):
            before = {key: tensor.detach().clone() for key, tensor in tensors.items()}
            for group in optimizer.param_groups:
                group["lr"] = rate
            take_steps(optimizer, tensors, range(2, 3))
            assert all(torch.equal(before[key], tensor) == (rate == 0.0) for key, tensor in tensors.items())


@pytest.mark.parametrize("name", NAMES)
def test_decay_shrinks_weights_whatever_the_gradient_is_and_adam_has_none(name: str) -> None:
    """With and without decay the first steps differ by rate · decay · weight exactly: the gradient has no part."""
    moved = {}
    for decay in (0.0, 0.5):
        tensors = parameters()
        given = [{**group, "lr": 0.01, "weight_decay": decay} for group in groups_of(tensors)]
        take_steps(build_optimizer(name, given, HIDDEN), tensors, range(1))
        moved[decay] = {key: tensor.detach() for key, tensor in tensors.items()}
    shrunk = 0.0 if name == "adam" else 0.01 * 0.5
    for key, start in parameters().items():
        torch.testing.assert_close(moved[0.0][key] - moved[0.5][key], shrunk * start.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_gradient_stays(name: str) -> None:
    tensors = parameters()
    optimizer = build_optimizer(name, groups_of(tensors), HIDDEN)
    before = {key: tensor.detach().clone() for key, tensor in tensors.items()}
    tensors["vector"].grad = torch.ones(7)
    optimizer.step()
    assert torch.equal(before["matrix"], tensors["matrix"])
    assert torch.equal(before["table"], tensors["table"])
    assert not torch.equal(before["vector"], tensors["vector"])


@pytest.mark.parametrize("name", NAMES)
def test_a_first_gradient_may_come_late(name: str) -> None:
    tensors = parameters()
    one_group = [{"params": list(tensors.items()), "lr": 0.1, "weight_decay": 0.0}]
    optimizer = build_optimizer(name, one_group, HIDDEN)
    tensors["vector"].grad = torch.ones(7)
    optimizer.step()
    before = {key: tensor.detach().clone() for key, tensor in tensors.items()}
    take_steps(optimizer, tensors, range(2))
    assert all(not torch.equal(before[key], tensor) for key, tensor in tensors.items())


@pytest.mark.parametrize("correction", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_state_goes_on_bit_for_bit(name: str, correction: bool) -> None:
    settings = OptimizerSettings(bias_correction=correction, momentum=0.7, hidden=HIDDEN.hidden)
    straight = parameters()
    optimizer = build_optimizer(name, groups_of(straight), settings)
    take_steps(optimizer, straight, range(3))
    values = {key: tensor.detach().clone() for key, tensor in straight.items()}
    state = copy.deepcopy(optimizer.state_dict())
    take_steps(optimizer, straight, range(3, 6))

    resumed = parameters(seed=9)
    other = build_optimizer(name, groups_of(resumed), settings)
    # One that has moved already is overwritten as a whole.
    take_steps(other, resumed, range(50, 52))
    with torch.no_grad():
        for key, tensor in resumed.items():
            tensor.copy_(values[key])
    other.load_state_dict(state)
    take_steps(other, resumed, range(3, 6))
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_tensors_and_json(name: str) -> None:
    """What a checkpoint can hold without pickling."""
    tensors = parameters()
    optimizer = build_optimizer(name, groups_of(tensors), HIDDEN)
    take_steps(optimizer, tensors, range(2))
    state = optimizer.state_dict()
    assert sorted(state) == ["param_groups", "state"]
    assert set(state["state"]) == {0, 1, 2}
    assert all(isinstance(value, torch.Tensor) for values in state["state"].values() for value in values.values())
    groups = json.loads(json.dumps(state["param_groups"]))
    assert sorted(index for group in groups for index in group["params"]) == [0, 1, 2]
    other = build_optimizer(name, groups_of(parameters()), HIDDEN)
    other.load_state_dict({"state": state["state"], "param_groups": groups})
    assert other.state_dict()["state"].keys() == state["state"].keys()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_cleared_and_given_groups_left_as_they_were(name: str) -> None:
    tensors = parameters()
    given = [*groups_of(tensors), {"params": [], "lr": 1.0, "weight_decay": 0.0}]
    before = [dict(group) for group in given]
    optimizer = build_optimizer(name, given, HIDDEN)
    assert given == before
    assert len(optimizer.param_groups) == 3
    take_steps(optimizer, tensors, range(1))
    optimizer.zero_grad(set_to_none=True)
    assert all(tensor.grad is None for tensor in tensors.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_model_learns_at_the_rate_that_the_factor_gives(name: str) -> None:
    model, features = bert(), mixed(32)
    groups = [{"params": list(model.named_parameters()), "lr": 1e-3 * RATE_FACTORS[name], "weight_decay": 0.01}]
    optimizer = build_optimizer(name, groups, OptimizerSettings(hidden=hidden_matrices(model)))
    losses = []
    for step in range(80):
        batch = collate(features, np.arange(32)[step % 4 :: 4], PADDING)
        optimizer.zero_grad()
        summed, count = row_loss(model, batch)
        (summed / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(summed.detach() / count))
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])


# -------------------------------------------------------------------------------------------- one by one


def test_nesterov_without_momentum_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"train\.momentum"):
        build_optimizer("sgd", groups_of(parameters()), OptimizerSettings(momentum=0.0, nesterov=True))


def test_muon_makes_the_singular_values_of_a_step_alike() -> None:
    """Jordan et al. 2024: between 0.7 and 1.2 after five iterations; then scaled to AdamW's root mean square, 0.2."""
    random = np.random.default_rng(0)
    left, right = (np.linalg.qr(random.normal(size=(16, 16)))[0] for _ in range(2))
    gradient = left * np.geomspace(1, 0.02, 16) @ right
    matrix = torch.zeros(16, 16, requires_grad=True)
    group = {"params": [("matrix", matrix)], "lr": 1.0, "weight_decay": 0.0}
    optimizer = build_optimizer("muon", [group], HIDDEN)
    matrix.grad = torch.tensor(gradient, dtype=torch.float32)
    optimizer.step()
    step = -matrix.detach().double().numpy() / (0.2 * 4)
    values = np.diag(left.T @ step @ right.T)
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert math.sqrt(float((matrix.detach() ** 2).mean())) == pytest.approx(0.2, rel=0.2)


def test_hidden_matrices_are_the_linear_layers_of_the_body() -> None:
    model = bert()
    layer = {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"}
    layer |= {"intermediate.dense", "output.dense"}
    expected = {f"bert.encoder.layer.{index}.{name}.weight" for index in range(2) for name in layer}
    assert hidden_matrices(model) == expected | {"bert.pooler.dense.weight"}
    body = {name.removeprefix("bert.") for name in expected}
    assert hidden_matrices(model.bert) == body | {"pooler.dense.weight"}


def test_a_head_that_is_tied_to_the_embedding_is_no_hidden_matrix() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    sizes = {"vocab_size": 30, "bos_token_id": 0, "eos_token_id": 0}
    gpt = GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=8, **sizes))
    names = {"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"}
    assert hidden_matrices(gpt) == {f"transformer.h.0.{name}.weight" for name in names}
    llama = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=1,
            num_attention_heads=2,
            tie_word_embeddings=True,
            pad_token_id=0,
            **sizes,
        )
    )
    names = {f"self_attn.{key}_proj" for key in "qkvo"} | {f"mlp.{key}_proj" for key in ("gate", "up", "down")}
    assert hidden_matrices(llama) == {f"model.layers.0.{name}.weight" for name in names}


def test_muon_splits_a_group_and_says_when_there_is_nothing_for_it() -> None:
    tensors = parameters()
    together = [{"params": list(tensors.items()), "lr": 0.1, "weight_decay": 0.0}]
    optimizer = build_optimizer("muon", together, HIDDEN)
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 2]
    assert "momentum" in optimizer.param_groups[0]
    assert "betas" in optimizer.param_groups[1]
    with pytest.raises(UserError, match=r"train\.optimizer"):
        build_optimizer("muon", together, OptimizerSettings())
    with pytest.raises(ValueError, match="name"):
        build_optimizer("muon", [{"params": [tensors["matrix"]], "lr": 0.1, "weight_decay": 0.0}], HIDDEN)


def test_muon_with_nothing_left_for_adamw() -> None:
    tensors = {"matrix": parameters()["matrix"]}
    optimizer = build_optimizer("muon", groups_of(tensors), HIDDEN)
    before = tensors["matrix"].detach().clone()
    tensors["matrix"].grad = torch.ones(4, 6)
    optimizer.step()
    assert not torch.equal(before, tensors["matrix"])
    optimizer.load_state_dict(optimizer.state_dict())
