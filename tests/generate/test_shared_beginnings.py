"""What many prompts begin with is read once, and nobody can tell from what is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from test_generate import DECODERS, SETTINGS, adapted, agree, alone, stopping_early
from tiny_writers import BEGIN, PROMPTS, SMALL, STOP, VOCABULARY, WRITERS, decode, encode, writer

from supertune.generate import generate
from supertune.generate.reading import keeps_every_token
from supertune.generate.sharing import sharing

# peft uses names of transformers that are about to change, and tells of GPT-2's transposed layers.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False"),
]

# Three times as long as Gemma's window.
BEGINNING = encode("Beispiele: 1 + 1 = 2; 好 = good; 坏 = bad. Und jetzt: ")[:48]
# The shortest is a single token, and shorter than the longest by more than the beginning has.
RESTS = [encode(text)[1:][:60] for text in PROMPTS]
BEGUN = [[*BEGINNING, *rest] for rest in RESTS]
BRIEF = replace(SETTINGS, max_new_tokens=6, repetition_penalty=1.2)
SHORT = replace(SETTINGS, max_new_tokens=3)


@contextlib.contextmanager
def read(model: Any) -> Iterator[list[int]]:
    """How many tokens went through the model at each call, padding among them."""
    counts: list[int] = []
    layer = next(module for name, module in model.named_modules() if name.endswith((".layers.0", ".h.0")))
    hook = layer.register_forward_pre_hook(lambda _, given: counts.append(given[0].shape[0] * given[0].shape[1]))
    try:
        yield counts
    finally:
        hook.remove()


@pytest.mark.parametrize("name", DECODERS)
def test_prompts_that_begin_alike_get_what_each_gets_alone(name: str) -> None:
    model = writer(name)
    single = alone(model, SETTINGS, BEGUN)
    agree(generate(model, BEGUN, SETTINGS, decode=decode), single)
    settings = replace(SETTINGS, stop_ids=stopping_early(single), most_rows=4)
    found = generate(model, BEGUN, settings, decode=decode)
    assert {one.ended for one in found} == {"stop", "length"}
    for one, whole in zip(found, single, strict=True):
        assert one.ids.tolist() == whole.ids[: one.tokens].tolist()


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("kind", ["lora", "prompt", "p-tuning", "prefix"])
def test_with_an_adapter_prompts_that_begin_alike_get_what_each_gets_alone(name: str, kind: str) -> None:
    model = adapted(name, kind)
    agree(generate(model, BEGUN, BRIEF, decode=decode), alone(model, BRIEF, BEGUN))


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("kind", [None, "lora", "prompt", "prefix"])
def test_the_beginning_is_read_once(name: str, kind: str | None) -> None:
    model = adapted(name, kind) if kind else writer(name)
    prompts = [[*BEGINNING, *rest[: 2 + place % 3]] for place, rest in enumerate(3 * RESTS)]
    with read(model) as counts:
        found = generate(model, prompts, SHORT, decode=decode)
    assert sum(counts) < 0.5 * len(prompts) * len(BEGINNING)
    # A few rows do not pay for it.
    with read(model) as counts:
        agree(generate(model, prompts[:3], SHORT, decode=decode), found[:3])
    assert sum(counts) > 3 * len(BEGINNING)


OTHERS: dict[str, dict[str, Any]] = {
    # Layers that take keys and values of others, and one inner width for each layer.
    "Gemma3nForCausalLM": SMALL
    | {"head_dim": 8, "num_hidden_layers": 4, "num_kv_shared_layers": 2, "sliding_window": 16, "laurel_rank": 4}
    | {"layer_types": ["sliding_attention", "full_attention"] * 2, "vocab_size_per_layer_input": VOCABULARY}
    | {"hidden_size_per_layer_input": 8, "intermediate_size": [48] * 4, "activation_sparsity_pattern": [0.0] * 4},
    # Attention within chunks.
    "Llama4ForCausalLM": SMALL
    | {"attention_chunk_size": 16, "num_local_experts": 2, "head_dim": 8, "no_rope_layers": [1, 0]},
    # Positions that are told by the mask alone.
    "BloomForCausalLM": {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "n_layer": 2,
        "n_head": 4,
        "initializer_range": 0.3,
    },
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_architectures_share_too(name: str) -> None:
    torch.manual_seed(0)
    model_class = getattr(transformers, name)
    model = model_class(model_class.config_class(**OTHERS[name])).eval()
    layer = "transformer.h.0" if name.startswith("Bloom") else "model.layers.0"
    tokens: list[int] = []
    model.get_submodule(layer).register_forward_pre_hook(lambda _, given: tokens.append(given[0].shape[-2]))
    found = generate(model, BEGUN, SHORT, decode=decode)
    assert max(tokens) == max(map(len, RESTS))
    agree(found, alone(model, SHORT, BEGUN))


@pytest.mark.parametrize("kind", [None, "prompt", "prefix"])
def test_beams_share_a_beginning_too(kind: str | None) -> None:
    model = adapted("llama", kind) if kind else writer("llama")
    settings = replace(SHORT, stop_ids=(), beams=3)
    agree(generate(model, BEGUN, settings, decode=decode), alone(model, settings, BEGUN))


def test_some_may_begin_otherwise() -> None:
    model = writer("gemma")
    prompts = [*BEGUN, encode("a"), *BEGUN, encode("Zwei ganz andere Fragen"), *BEGUN]
    single = alone(model, SHORT, prompts)
    with read(model) as counts:
        agree(generate(model, prompts, SHORT, decode=decode), single)
    padded = len(prompts) * max(map(len, BEGUN))
    assert sum(counts) < padded
    # Cut prompts have lost their beginning, but for the token that begins all texts.
    settings = replace(SHORT, window=100, too_long="cut")
    found = generate(model, prompts, settings, decode=decode)
    assert {one.cut > 0 for one in found} == {False, True}
    agree(found, alone(model, settings, prompts))


def test_one_prompt_many_times_is_read_once_but_for_its_last_token() -> None:
    model = writer("llama")
    with read(model) as counts:
        found = generate(model, [BEGINNING] * 12, SHORT, decode=decode)
    assert sum(counts) == len(BEGINNING) - 1 + 12 * 3
    agree(found, alone(model, SHORT, [BEGINNING]) * 12)


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_encoders_read_both_ways_and_share_nothing(name: str) -> None:
    model = writer(name)
    assert not keeps_every_token(model)
    agree(generate(model, BEGUN, SHORT, decode=decode), alone(model, SHORT, BEGUN))


def test_models_whose_positions_depend_on_the_length_share_nothing() -> None:
    assert keeps_every_token(writer("llama"))
    for rope in (
        {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0},
        {"rope_type": "longrope", "rope_theta": 10000.0, "factor": 2.0, "original_max_position_embeddings": 80}
        | {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4},
    ):
        model = writer("llama", rope_parameters=rope)
        assert not keeps_every_token(model)
        with read(model) as counts:
            generate(model, BEGUN, SHORT, decode=decode)
        assert sum(counts) >= len(BEGUN) * len(BEGINNING)


def test_a_model_of_one_state_shares_nothing() -> None:
    torch.manual_seed(0)
    config = transformers.MambaConfig(vocab_size=WRITERS["llama"][1]["vocab_size"], hidden_size=16, num_hidden_layers=2)
    model = transformers.MambaForCausalLM(config).eval()
    assert not keeps_every_token(model)


class Cramped(transformers.LlamaForCausalLM):
    """Runs out of memory with more than two rows, or with more than so many tokens."""

    tokens = 10_000

    def forward(self, input_ids: Any = None, past_key_values: Any = None, **named: Any) -> Any:
        if len(input_ids) > 2 or input_ids.shape[1] > self.tokens:
            raise torch.OutOfMemoryError("no memory")
        return super().forward(input_ids=input_ids, past_key_values=past_key_values, **named)


def test_batches_that_share_a_beginning_are_halved_when_memory_runs_out() -> None:
    torch.manual_seed(0)
    model = Cramped(transformers.LlamaConfig(**WRITERS["llama"][1])).eval()
    single = alone(model, SHORT, BEGUN)
    with read(model) as counts:
        agree(generate(model, BEGUN, SHORT, decode=decode), single)
    assert counts.count(len(BEGINNING)) == 1


prompts_of_any_kind = st.lists(
    st.tuples(
        st.sampled_from([BEGINNING, BEGINNING[:20], encode("andere Worte, mit denen es anfängt")]), st.integers(0, 9)
    ),
    min_size=1,
    max_size=30,
)


@given(prompts_of_any_kind, st.integers(1, 300))
def test_what_is_shared_stands_in_every_prompt_and_leaves_something_to_read(
    drawn: Sequence[tuple[list[int], int]], new: int
) -> None:
    prompts = [[*beginning, *([BEGIN] * rest)] for beginning, rest in drawn]
    rows, tokens = sharing(prompts, new)
    assert (tokens > 0) == (len(rows) > 0)
    assert sorted(set(rows.tolist())) == rows.tolist()
    for row in rows:
        assert len(prompts[row]) > tokens
        assert prompts[row][:tokens] == prompts[rows[0]][:tokens]
    if len(rows) == len(prompts):
        longer = min(map(len, prompts)) > tokens + 1
        assert not longer or len({prompt[tokens] for prompt in prompts}) > 1


def test_what_saves_little_is_not_shared() -> None:
    assert sharing(BEGUN[:3], 20)[1] == 0
    assert sharing([[BEGIN, STOP, *rest] for rest in RESTS], 20)[1] == 0
    rows, tokens = sharing([encode("x"), *BEGUN], 1)
    assert tokens == len(BEGINNING)
    assert rows.tolist() == np.arange(1, len(BEGUN) + 1).tolist()
    # Another batch of its own would take longer than is saved.
    assert sharing([encode("x"), *BEGUN], 1000)[1] == 0
