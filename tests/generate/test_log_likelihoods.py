"""What texts cost a model behind prompts: as it says of each row alone, whatever it is read beside or behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from tiny_writers import BEGIN, FIRST, WRITERS, writer

from supertune.errors import UserError
from supertune.generate import GenerationSettings, log_likelihoods

DECODERS = [name for name in WRITERS if name not in ("t5", "bart")]
SETTINGS = GenerationSettings(max_new_tokens=4)


def tokens(text: str) -> list[int]:
    return [FIRST + byte for byte in text.encode()]


SHARED = [BEGIN, *tokens("Q: one and one?\nA: two\n\nQ: red or green?\nA: red\n\nQ: ")]
ROWS = [
    ("2?", "two, I think"),
    ("你好吗", "很好"),
    ("a much longer question, which goes on for a while", "x"),
    ("", ""),
    ("😀", "👍🏽 ja"),
    ("b", "c"),
]
TEXTS = [tokens(text) for _, text in ROWS]
ALIKE = [[*SHARED, *tokens(asked), FIRST] for asked, _ in ROWS]
APART = [[BEGIN, *tokens(asked), FIRST] for asked, _ in ROWS]


def alone(model: Any, prompt: Sequence[int], text: Sequence[int]) -> float:
    """By one row, from all its scores."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *text]])).logits[0].double().log_softmax(-1)
    return float(sum(logits[len(prompt) - 1 + place, token] for place, token in enumerate(text)))


@pytest.mark.parametrize("prompts", [ALIKE, APART], ids=["alike", "apart"])
@pytest.mark.parametrize("name", DECODERS)
def test_every_row_costs_what_it_costs_alone(name: str, prompts: list[list[int]]) -> None:
    model = writer(name)
    expected = [alone(model, prompt, text) for prompt, text in zip(prompts, TEXTS, strict=True)]
    told: list[int] = []
    found = log_likelihoods(model, prompts, TEXTS, SETTINGS, progress=told.append)
    assert found.dtype == np.float64
    assert found == pytest.approx(expected, abs=1e-4)
    assert found[3] == 0
    assert told[-1] == len(ROWS)


def test_what_rows_share_is_read_once() -> None:
    model, seen = writer("llama"), []
    model.register_forward_pre_hook(lambda _, __, given: seen.append(given["input_ids"].shape[1]), with_kwargs=True)
    log_likelihoods(model, ALIKE, TEXTS, SETTINGS)
    behind = max(len(prompt) - len(SHARED) + len(text) for prompt, text in zip(ALIKE, TEXTS, strict=True))
    assert max(seen[1:]) <= behind + 1
    assert sum(length > len(SHARED) - 1 for length in seen) <= 1


def test_prompts_lose_their_beginning_where_the_window_is_small() -> None:
    model = writer("gpt2")
    long = [BEGIN, *tokens("word " * 60)]
    settings = GenerationSettings(max_new_tokens=4, too_long="cut")
    (found,) = log_likelihoods(model, [long], [tokens("end")], settings)
    room = model.config.n_positions - 3
    assert found == pytest.approx(alone(model, [BEGIN, *long[-room + 1 :]], tokens("end")), abs=1e-4)
    with pytest.raises(UserError, match="room for the answer"):
        log_likelihoods(model, [long], [tokens("end")], SETTINGS)


def test_models_that_begin_in_ways_of_their_own_are_refused() -> None:
    with pytest.raises(UserError, match="decoder"):
        log_likelihoods(writer("t5"), [[5]], [[6]], SETTINGS)
