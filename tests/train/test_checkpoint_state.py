"""Any state becomes named tensors and JSON and comes back the same, bit by bit; so do all random generators."""

from __future__ import annotations

import json
import math
import random
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supertune.errors import UserError
from supertune.train.checkpoints.rng import restore_rng, rng_state
from supertune.train.checkpoints.state import flatten, unflatten

DTYPES = (torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.bool, torch.uint8, torch.complex64)


def same(a: Any, b: Any) -> bool:
    """Equal in type and in every bit; NaN equals NaN, and -0.0 differs from 0.0."""
    if isinstance(a, torch.Tensor):
        if not isinstance(b, torch.Tensor) or (a.dtype, a.shape) != (b.dtype, b.shape):
            return False
        plain = [torch.empty(x.shape, dtype=x.dtype).copy_(x).reshape(-1).view(torch.uint8) for x in (a, b)]
        return torch.equal(plain[0], plain[1])
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return [(type(k), k) for k in a] == [(type(k), k) for k in b] and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return math.isnan(a) == math.isnan(b) and (math.isnan(a) or a.hex() == b.hex())
    return bool(a == b)


def back(nested: Any) -> Any:
    tensors, values = flatten(nested)
    return unflatten(tensors, json.loads(json.dumps(values, allow_nan=False)))


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    seed = draw(st.integers(0, 2**32))
    content = torch.randint(-9, 9, shape, generator=torch.Generator().manual_seed(seed))
    tensor = content.to(draw(st.sampled_from(DTYPES)))
    if tensor.dim() > 1 and draw(st.booleans()):
        tensor = tensor.transpose(0, 1)
    return tensor[::2] if tensor.dim() and draw(st.booleans()) else tensor


keys = st.one_of(st.text(max_size=5), st.integers(), st.sampled_from(["$tensor", "$", "a/b", "__metadata__", "1"]))
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), tensors())
nested_states = st.dictionaries(
    keys,
    st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(keys, inner, max_size=3),
        ),
        max_leaves=12,
    ),
    max_size=4,
)


@given(nested_states)
def test_any_nested_state_comes_back_the_same(nested: dict[Any, Any]) -> None:
    assert same(back(nested), nested)


def test_what_json_cannot_say() -> None:
    nested = {
        1: "integer",
        "1": "string",
        "$tuple": (1, (2.0, [None, True])),
        "floats": [math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1],
        "surrogate": "\ud800",
        "large": 2**200,
        "empty": {"a": {}, "b": [], "c": ()},
    }
    assert same(back(nested), nested)
    assert same(back(OrderedDict(a=OrderedDict(b=1))), {"a": {"b": 1}})


def test_plain_values_stay_readable() -> None:
    assert flatten({"step": 3, "names": ["a", "好"]})[1] == {"step": 3, "names": ["a", "好"]}


def test_tensors_are_called_by_their_place() -> None:
    found, _ = flatten(
        {"optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}, "a/b": torch.zeros(1), "": torch.ones(1)}
    )
    assert set(found) == {"optimizer/state/0/exp_avg", "a_b", ""}
    clashing = {
        "a": {"b": torch.tensor(1)},
        "a b": torch.tensor(2),
        "a_b": torch.tensor(3),
        "__metadata__": torch.tensor(4),
    }
    assert same(back(clashing), clashing)
    assert "__metadata__" not in flatten(clashing)[0]


def test_shared_memory_is_stored_once_and_shared_again() -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(5, 3)
            self.head = torch.nn.Linear(3, 5, bias=False)
            self.head.weight = self.embedding.weight

    weights = Tied().state_dict()
    found, _ = flatten({"model": weights})
    assert list(found) == ["model/embedding.weight"]
    restored = back({"model": weights})["model"]
    assert restored["head.weight"] is restored["embedding.weight"]


def test_other_views_of_the_same_memory_are_other_tensors() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    turned = torch.view_as_complex(torch.ones(2, 2))
    views = {"all": base, "row": base[0], "square": base[:, :2], "turned": base.T, "bits": base.view(torch.int32)}
    assert same(back(views), views)
    conjugated = {"plain": turned, "conjugated": turned.conj()}
    assert same(back(conjugated), conjugated)
    assert len(flatten({"a": torch.zeros(0), "b": torch.zeros(0)})[0]) == 2


def test_nothing_is_copied_and_no_graph_is_kept() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    found, _ = flatten({"p": parameter * 1, "q": parameter})
    assert found["q"].data_ptr() == parameter.data_ptr()
    assert not any(tensor.requires_grad for tensor in found.values())


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    "value",
    [{1}, b"x", np.float64(1), np.zeros(2), Pair(1, 2), torch.Size([1]), torch.float32, object(), {1.5: 1}, {True: 1}],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_saved_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(TypeError, match="optimizer/1"):
        flatten({"optimizer": [0, value]})


def test_sparse_tensors_and_cycles_are_refused() -> None:
    with pytest.raises(TypeError, match="momentum: a sparse tensor"):
        flatten({"momentum": torch.eye(2).to_sparse()})
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    with pytest.raises(ValueError, match="again/again/again/…: nested more than 100"):
        flatten(cycle)


@pytest.mark.parametrize(
    "values",
    [
        {"a": {"$tensor": "unknown"}},
        {"a": {"$tensor": ["x"]}},
        {"a": {"$pickle": "cos\nsystem"}},
        {"a": {"$tuple": "xyz"}},
        {"a": {"$tuple": [], "b": 1}},
        {"a": {"$dict": [[1, 2, 3]]}},
        {"a": {"$dict": [[[], 2]]}},
        {"a": {"$dict": {"b": 1}}},
        {"a": {"$float": "1e999"}},
        {"a": {"$float": {}}},
        json.loads('{"a":' * 300 + "1" + "}" * 300),
    ],
    ids=lambda values: json.dumps(values)[:40],
)
def test_what_flatten_did_not_write_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"state\.json: is not the state of a training"):
        unflatten({"x": torch.zeros(1)}, values, where="state.json")


OPTIMIZERS = [
    kind for kind in vars(torch.optim).values() if isinstance(kind, type) and kind is not torch.optim.Optimizer
]
VARIANTS: list[tuple[type[Any], dict[str, Any]]] = [
    *((kind, {}) for kind in OPTIMIZERS if issubclass(kind, torch.optim.Optimizer)),
    (torch.optim.AdamW, {"amsgrad": True, "fused": True}),
    (torch.optim.Adam, {"lr": torch.tensor(0.01)}),
    (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    (torch.optim.RMSprop, {"momentum": 0.9, "centered": True}),
]


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=lambda value: getattr(value, "__name__", None))
def test_every_optimizer_goes_on_as_if_nothing_had_happened(kind: type[Any], options: dict[str, Any]) -> None:
    def begin() -> tuple[torch.nn.ParameterList, Any]:
        torch.manual_seed(0)
        shapes = [(4, 3), (3, 2)] if kind is torch.optim.Muon else [(4, 3), (3,), ()]
        parameters = torch.nn.ParameterList([torch.nn.Parameter(torch.randn(shape)) for shape in shapes])
        return parameters, kind(parameters.parameters(), **options)

    def steps(parameters: torch.nn.ParameterList, optimizer: Any, seeds: range) -> None:
        for seed in seeds:
            torch.manual_seed(seed)
            for parameter in parameters:
                gradient = torch.randn(parameter.shape)
                parameter.grad = gradient.to_sparse() if kind is torch.optim.SparseAdam else gradient
            optimizer.step(lambda: sum(float(parameter.detach().sum()) for parameter in parameters))

    straight, optimizer = begin()
    steps(straight, optimizer, range(5))
    stopped, first = begin()
    steps(stopped, first, range(3))
    saved = back({"model": stopped.state_dict(), "optimizer": first.state_dict()})
    assert same(saved["optimizer"], first.state_dict())
    resumed, second = begin()
    resumed.load_state_dict(saved["model"])
    second.load_state_dict(saved["optimizer"])
    steps(resumed, second, range(3, 5))
    assert same(dict(resumed.state_dict()), dict(straight.state_dict()))
    assert same(second.state_dict(), optimizer.state_dict())


def draws() -> list[Any]:
    return [
        random.random(),
        random.gauss(0, 1),
        np.random.random(),
        np.random.standard_normal(),
        float(torch.rand(())),
        # Fewer than sixteen are drawn in pairs, the second of which waits in the state.
        float(torch.randn(1)),
    ]


@pytest.mark.parametrize("before", [0, 1, 7])
def test_every_generator_goes_on_where_it_was(before: int) -> None:
    for _ in range(before):
        draws()
    saved = back(rng_state())
    expected = [draws() for _ in range(5)]
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    assert restore_rng(saved) == []
    assert [draws() for _ in range(5)] == expected


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.Philox, np.random.SFC64, np.random.MT19937])
def test_numpys_other_generators(kind: Any) -> None:
    ours = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(kind(3))
        saved = back(rng_state())
        expected = np.random.random(5)
        restore_rng(saved)
        assert np.array_equal(np.random.random(5), expected)
    finally:
        np.random.set_bit_generator(ours)


def test_a_device_that_is_not_here_is_named() -> None:
    state = rng_state()
    here = torch.cuda.device_count()
    lacking = restore_rng(
        {**state, "cuda": [*state.get("cuda", []), *[torch.zeros(16, dtype=torch.uint8)] * 2][-here - 1 :]}
    )
    assert [sentence.split()[0] for sentence in lacking] == [f"cuda:{here}"]


@pytest.mark.parametrize(
    "damage",
    [
        {"torch": torch.zeros(3, dtype=torch.uint8)},
        {"torch": None},
        {"python": (3, (1, 2), None)},
        {"python": "x"},
        {"numpy": {"bit_generator": "MT19937"}},
        {"numpy": {"bit_generator": "Unknown", "state": {}}},
        {"numpy": 3},
        {"cuda": 3},
    ],
    ids=repr,
)
def test_a_damaged_random_state_is_refused(damage: dict[str, Any]) -> None:
    before = rng_state()
    with pytest.raises(UserError, match=r"state\.json: the random state is damaged"):
        restore_rng({**before, **damage}, where="state.json")
    with pytest.raises(UserError, match="damaged"):
        restore_rng({})
    restore_rng(before)
