"""Batches hold every prompt once and no more tokens than they may; memory is not estimated too low."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_writers import BEGIN, WRITERS, writer

from supertune.generate.prompts import batches, most_tokens, row_bytes


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.integers(1, 9),
    st.integers(1, 400),
    st.integers(1, 30),
    st.booleans(),
)
def test_every_prompt_is_in_one_batch_of_bounded_size(
    sizes: list[int], most_rows: int, tokens: int, new: int, equal: bool
) -> None:
    lengths = np.array(sizes, np.int64)
    found = batches(lengths, most_rows, tokens, new, equal=equal)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(sizes)))
    longest = [int(lengths[rows].max()) for rows in found]
    # The largest come first, so that what does not fit is found out at once.
    assert longest == sorted(longest, reverse=True)
    for rows, most in zip(found, longest, strict=True):
        assert len(rows) <= most_rows
        assert len(rows) == 1 or len(rows) * (most + new) <= tokens
        assert not equal or set(lengths[rows].tolist()) == {most}


@pytest.mark.parametrize("name", WRITERS)
def test_the_memory_of_a_row_is_not_estimated_too_low(name: str) -> None:
    model, prompt, new = writer(name), 90, 30
    found = model.generate(
        torch.full((1, prompt), BEGIN + 9),
        attention_mask=torch.ones(1, prompt, dtype=torch.int64),
        max_new_tokens=new,
        min_new_tokens=new,
        do_sample=False,
        return_dict_in_generate=True,
    )
    cache = found.past_key_values
    parts = (
        [cache.self_attention_cache, cache.cross_attention_cache] if hasattr(cache, "self_attention_cache") else [cache]
    )
    held = sum(layer.keys.nbytes + layer.values.nbytes for part in parts for layer in part.layers)
    assert held <= row_bytes(model, prompt, new) < 20 * held + 2_000_000
    assert row_bytes(model, prompt, 10 * new) > row_bytes(model, prompt, new)
    assert most_tokens(model, 4, prompt, new) <= most_tokens(model, 1, prompt, new) * 1.2
