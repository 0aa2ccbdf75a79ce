"""The estimate of a step's memory is near what layers keep, and what follows from it fits."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from supertune.strategies import build_strategy
from supertune.tasks.before_head import before_head
from supertune.tasks.likelihoods import summed_loss
from supertune.train import (
    StepMemory,
    checkpoint_activations,
    linear_cross_entropy,
    set_attention,
    use_fast_dropout,
)

DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Gemma3Text": ("Gemma3ForCausalLM", {"head_dim": 128, "num_key_value_heads": 1, "hidden_size": 320}),
    "Llama": ("LlamaForCausalLM", {"hidden_size": 256, "intermediate_size": 688}),
    "Qwen3": ("Qwen3ForCausalLM", {"hidden_size": 256, "num_key_value_heads": 2, "head_dim": 128}),
    "GPT2": ("GPT2LMHeadModel", {"n_embd": 256, "n_layer": 3, "n_head": 4, "bos_token_id": 1, "eos_token_id": 2}),
}
COMMON = {"intermediate_size": 1024, "num_hidden_layers": 3, "num_attention_heads": 4, "pad_token_id": 0}


def kept_bytes(model: Any, items: int, tokens: int) -> int:
    """What the graph of one forward pass holds beside the weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, int] = {}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(tensor)
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.ones(items, tokens, dtype=torch.long)
    mask = ids.clone()
    mask[0, -1] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        states = before_head(model, {"input_ids": ids, "attention_mask": mask})
    assert states.requires_grad
    return sum(found.values())


@pytest.mark.parametrize("strategy", ["lora", "full"])
@pytest.mark.parametrize("name", DECODERS)
def test_the_estimate_is_near_what_is_kept(name: str, strategy: str) -> None:
    kind, changes = DECODERS[name]
    settings = {"vocab_size": 500, **(changes if name == "GPT2" else COMMON | changes)}
    config = getattr(transformers, f"{name}Config")(**settings)
    model = build_strategy(strategy, {}).prepare(getattr(transformers, kind)(config)).train()
    use_fast_dropout(model)
    for attention in ("sdpa", "matmul"):
        set_attention(model, attention)
        memory = StepMemory(config, width=4, scores=attention != "sdpa")
        for items, tokens in ((1, 64), (2, 160)):
            ratio = memory.activations(items, tokens) / kept_bytes(model, items, tokens)
            assert 0.8 < ratio < 1.5, (attention, items, tokens)
    checkpoint_activations(model)
    # Of one layer that is computed again all is kept for a while, which this does not see.
    assert kept_bytes(model, 2, 160) < memory.activations(2, 160, checkpointed=True)
    assert memory.activations(2, 160, checkpointed=True) < 0.6 * memory.activations(2, 160)


LLAMA = transformers.LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=20, num_attention_heads=4)


@given(
    items=st.integers(1, 70),
    tokens=st.integers(1, 600),
    free=st.integers(1 << 16, 1 << 32),
    again=st.sampled_from([True, False, None]),
    weights=st.integers(0, 10**7),
)
def test_what_is_chosen_fits_if_anything_does(
    items: int, tokens: int, free: int, again: bool | None, weights: int
) -> None:
    memory = StepMemory(LLAMA, width=4, weights=weights, writes=True)
    pieces, checkpointed = memory.fitting(items, tokens, free, again=again)
    assert 1 <= pieces <= items
    assert again is None or checkpointed is again
    room = 0.8 * free - memory.standing()

    def fits(rows: int, computed_again: bool) -> bool:
        return memory.activations(rows, tokens, checkpointed=computed_again) <= room

    possible = fits(1, again is not False)
    assert fits(-(-items // pieces), checkpointed) is possible
    if checkpointed and again is None:
        assert not fits(1, False), "layers are computed again only where single texts do not fit"
    if pieces > 1:
        # No more pieces than needed, by halves.
        assert not fits(-(-items // (pieces // 2)), checkpointed)


def test_what_stands_whatever_the_batch() -> None:
    few = StepMemory(LLAMA, width=4, weights=10**8, all_learn=False)
    every = StepMemory(LLAMA, width=4, weights=10**8)
    assert 4 * 10**8 < few.standing() < 5 * 10**8
    assert every.standing() == 16 * 10**8
    assert StepMemory(LLAMA, width=4, writes=True).standing() == 128 << 20


def _peak(more: str) -> int:
    """Bytes of the line of /proc/self/status that begins so."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(more))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a peak that can be begun anew")
def test_a_step_takes_what_was_estimated_and_no_logits() -> None:
    """200 MB of logits, several times over, would be those of 50,000 tokens; what layers keep is half of that."""
    changes = {"vocab_size": 50_000, "hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 4}
    config = transformers.LlamaConfig(**COMMON | changes)
    model = build_strategy("lora", {}).prepare(transformers.LlamaForCausalLM(config)).train()
    ids = torch.randint(3, 50_000, (4, 256))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "weights": torch.ones(ids.shape)}
    memory = StepMemory(config, width=4, scores=False)

    def step(rows: int) -> None:
        part = {name: value[:rows] for name, value in batch.items()}
        value, _ = summed_loss(model, part, lambda hidden, head, to, by, _: linear_cross_entropy(hidden, head, to, by))
        value.backward()  # type: ignore[no-untyped-call]

    step(1)
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        pytest.skip("the peak cannot be begun anew here")
    before = _peak("VmRSS")
    step(4)
    taken = _peak("VmHWM") - before
    estimated = memory.activations(4, 256)
    assert 100e6 < estimated < 130e6
    # Some of it was there already, left by the first step; what the way back needs for a moment comes on top.
    assert 0.4 * estimated < taken < 2 * estimated
