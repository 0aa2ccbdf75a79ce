"""Brute force finds what double precision says, ties by number, whatever else is asked at the same time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.passages import NOTHING, STORAGES, Vectors, compressed, nearest, nearest_bits, rescored
from supertune.passages import exact as exact_module


def unit(generator: np.random.Generator, rows: int, width: int) -> np.ndarray:
    vectors = generator.normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def oracle(vectors: np.ndarray, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and scores by sorting every product, computed pair by pair in double precision."""
    scores = np.stack([(vectors.astype(np.float64) * query).sum(axis=1) for query in queries]).astype(np.float32)
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return ids, np.take_along_axis(scores, ids, axis=1)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 60),
    queries=st.integers(1, 12),
    count=st.integers(1, 20),
    copies=st.integers(1, 4),
    storage=st.sampled_from(STORAGES),
    block=st.sampled_from((1, 7, 64)),
    seed=st.integers(0, 1000),
)
def test_the_nearest_are_those_of_double_precision(
    rows: int, queries: int, count: int, copies: int, storage: str, block: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    # Copies of a vector have equal scores, so the order says who wins among equals.
    kept = compressed(np.repeat(unit(generator, rows, 13), copies, axis=0), storage)  # type: ignore[arg-type]
    asked = unit(generator, queries, 13)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_module, "_ROWS", block)
        patch.setattr(exact_module, "_QUERIES", 5)
        found = nearest(kept, asked, count)
    ids, scores = oracle(kept.block(0, len(kept)), asked, count)
    there = ids.shape[1]
    assert (found.ids[:, :there] == ids).all()
    assert (found.scores[:, :there] == scores).all()
    assert (found.ids[:, there:] == NOTHING).all()
    assert np.isneginf(found.scores[:, there:]).all()


def test_a_query_finds_the_same_alone_and_among_others() -> None:
    generator = np.random.default_rng(3)
    near = unit(generator, 1, 384) + 1e-6 * generator.normal(size=(20_000, 384)).astype(np.float32)
    kept = Vectors("float32", 384, (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32))
    asked = unit(generator, 300, 384)
    together = nearest(kept, asked, 10)
    for number in (0, 1, 255, 256, 299):
        alone = nearest(kept, asked[number : number + 1], 10)
        assert (alone.ids[0] == together.ids[number]).all()
        assert (alone.scores[0] == together.scores[number]).all()


def test_nothing_is_found_where_there_is_nothing() -> None:
    generator = np.random.default_rng(0)
    empty = Vectors("float32", 4, np.zeros((0, 4), np.float32))
    assert (nearest(empty, unit(generator, 2, 4), 3).ids == NOTHING).all()
    assert nearest(compressed(unit(generator, 5, 4), "int8"), np.zeros((0, 4), np.float32), 3).ids.shape == (0, 3)


def test_candidates_are_scored_and_the_best_kept() -> None:
    generator = np.random.default_rng(1)
    kept, asked = compressed(unit(generator, 50, 16), "float16"), unit(generator, 4, 16)
    everything = np.tile(np.arange(50), (4, 1))
    everything[:, 40:] = NOTHING
    found = rescored(kept, asked, everything, 6)
    ids, scores = oracle(kept.block(0, 40), asked, 6)
    assert (found.ids == ids).all()
    assert (found.scores == scores).all()


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 80), width=st.sampled_from((1, 8, 63, 64, 65, 130)), count=st.integers(1, 90))
def test_bits_are_compared_by_how_many_differ(rows: int, width: int, count: int) -> None:
    generator = np.random.default_rng(rows * width)
    passages, asked = unit(generator, rows, width), unit(generator, 3, width)
    differ = ((passages > 0)[None] != (asked > 0)[:, None]).sum(axis=2)
    found = nearest_bits(compressed(passages, "binary"), asked, count)
    assert (found == np.argsort(differ, axis=1, kind="stable")[:, :count]).all()
