"""Small outcomes with known answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from supertune.contracts import Outcome

MakeOutcome = Callable[..., Outcome]


def answered(targets: Sequence[int], answers: Sequence[int], k: int, sure: float = 0.9) -> Outcome:
    """An outcome whose most probable classes are ``answers``, each with the probability ``sure``."""
    probabilities = np.full((len(targets), k), (1 - sure) / max(k - 1, 1))
    probabilities[np.arange(len(targets)), list(answers)] = sure if k > 1 else 1.0
    return Outcome(np.array(targets, dtype=np.int64), probabilities, tuple("abcdefghijklmnopqrstuvwxyz"[:k]))


def drawn(generator: np.random.Generator, n: int, k: int, strength: float = 1.0, prior: object = None) -> Outcome:
    """Random rows whose probabilities are calibrated: better than chance by ``strength``."""
    shares = np.full(k, 1 / k) if prior is None else np.asarray(prior)
    targets = generator.choice(k, n, p=shares).astype(np.int64)
    logits = generator.standard_normal((n, k))
    logits[np.arange(n), targets] += strength
    raised = np.exp(strength * logits + np.log(shares))
    return Outcome(targets, raised / raised.sum(axis=1, keepdims=True), tuple(f"class {i}" for i in range(k)))


@pytest.fixture
def make_outcome() -> MakeOutcome:
    return answered


@pytest.fixture
def draw_outcome() -> MakeOutcome:
    return drawn
