"""A few rows that stand for all: more kinds of them than chance would give, and the same as plain greedy choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.data import OPERATORS, Table, clean
from supertune.data import diverse as module
from supertune.data.diverse import diverse_rows

_TOPICS = 40


def _texts() -> tuple[list[str], np.ndarray]:
    """Texts of 40 topics, a few of which most are about, in English and Chinese."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, _TOPICS + 1)
    topics = rng.choice(_TOPICS, 600, p=shares / shares.sum())
    characters = [chr(0x4E00 + number) for number in range(2000)]
    texts = []
    for topic in topics:
        if topic % 2:
            said = [characters[topic * 20 + place] for place in rng.integers(0, 20, 8)]
            texts.append("".join(said))
        else:
            texts.append(" ".join(f"word{topic}x{place}" for place in rng.integers(0, 8, 6)))
    return texts, topics


def test_more_topics_than_by_chance() -> None:
    texts, topics = _texts()
    kept = len(set(topics[diverse_rows(texts, 40)]))
    chance = [len(set(topics[np.random.default_rng(seed).choice(600, 40, replace=False)])) for seed in range(50)]
    assert kept > max(chance)
    assert kept >= 1.3 * np.mean(chance)


@given(st.lists(st.text("ab 好\n", max_size=8), min_size=1, max_size=12), st.integers(1, 12))
@settings(max_examples=40)
def test_it_is_the_greedy_choice(texts: list[str], count: int) -> None:
    kept = diverse_rows(texts, count)
    assert len(kept) == min(count, len(texts))
    assert (np.diff(kept) > 0).all()
    if len(texts) > count:
        vectors = module.term_vectors(texts).toarray().astype(np.float64)
        alike = vectors @ vectors.T

        def covered(rows: np.ndarray) -> float:
            return float(alike[:, rows].max(axis=1).sum())

        best: list[int] = []
        for _ in range(count):
            best.append(max(range(len(texts)), key=lambda row: covered(np.array([*best, row]))))
        assert covered(kept) >= (1 - 1 / np.e) * covered(np.array(best)) - 1e-6


def test_many_rows_are_covered_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, topics = _texts()
    monkeypatch.setattr(module, "_COVERED", 200)
    assert len(set(topics[diverse_rows(texts, 40)])) >= 22
    assert diverse_rows(texts, 40).tolist() == diverse_rows(texts, 40).tolist()


def test_the_step() -> None:
    texts, _ = _texts()
    tables = {name: Table.from_rows([{"text": text, "label": "x"} for text in texts]) for name in ("train", "test")}
    made = clean(tables, Columns(("text",), ("label",)), [OPERATORS["diverse"](rows=40)])
    assert {split: len(table) for split, table in made.tables.items()} == {"train": 40, "test": 600}
    assert made.tables["train"].row_ids.tolist() == diverse_rows(texts, 40).tolist()
