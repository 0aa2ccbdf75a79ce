"""Vectors in fewer bits: how much of the truth they keep, and that files are read back as written or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from supertune.errors import UserError
from supertune.passages import STORAGES, Vectors, compressed, nearest, nearest_bits, recall, rescored, shortened
from supertune.passages.vectors import open_vectors, write_vectors


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=["random", "clustered"])
def vectors(request: pytest.FixtureRequest) -> np.ndarray:
    generator = np.random.default_rng(5)
    if request.param == "random":
        return unit(generator.normal(size=(4000, 128)))
    centres = generator.normal(size=(80, 128))
    return unit(centres[generator.integers(0, 80, 4000)] + 0.5 * generator.normal(size=(4000, 128)))


def found_of_truth(vectors: np.ndarray, found: object) -> float:
    whole, queries = Vectors("float32", vectors.shape[1], vectors), vectors[:100]
    return float(recall(found, nearest(whole, queries, 10), whole, queries).mean())  # type: ignore[arg-type]


@pytest.mark.parametrize(("storage", "least"), [("float32", 1.0), ("float16", 0.99), ("int8", 0.95)])
def test_fewer_bits_find_nearly_the_same(vectors: np.ndarray, storage: str, least: float) -> None:
    assert found_of_truth(vectors, nearest(compressed(vectors, storage), vectors[:100], 10)) >= least  # type: ignore[arg-type]


def test_bits_find_enough_for_finer_vectors_to_choose_from(vectors: np.ndarray) -> None:
    bits, finer, queries = compressed(vectors, "binary"), compressed(vectors, "int8"), vectors[:100]
    alone = found_of_truth(vectors, nearest(bits, queries, 10))
    candidates = nearest_bits(bits, queries, 400)
    again = found_of_truth(vectors, rescored(finer, queries, candidates, 10))
    assert alone < again
    assert again > 0.8


def test_an_int8_number_is_off_by_half_a_step_at_most(vectors: np.ndarray) -> None:
    kept = compressed(vectors, "int8")
    assert kept.scales is not None
    assert (np.abs(kept.block(0, len(kept)) - vectors) <= 0.5001 * kept.scales[:, None]).all()
    assert (np.abs(kept.values).max(axis=1) == 127).all()


def test_a_vector_of_zeros_is_kept() -> None:
    for storage in ("float32", "float16", "int8"):
        assert (compressed(np.zeros((2, 5), np.float32), storage).block(0, 2) == 0).all()  # type: ignore[arg-type]


def test_shortened_vectors_have_length_one_and_the_same_direction(vectors: np.ndarray) -> None:
    short = shortened(vectors, 32)
    assert short.shape == (4000, 32)
    assert np.linalg.norm(short, axis=1) == pytest.approx(np.ones(4000), abs=1e-6)
    assert (short * vectors[:, :32]).sum(axis=1) == pytest.approx(np.linalg.norm(vectors[:, :32], axis=1), abs=1e-5)
    assert shortened(vectors, 128) is vectors


@pytest.mark.parametrize("storage", STORAGES)
def test_files_are_read_back_as_they_were_written(tmp_path: Path, storage: str) -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(70, 33)))
    blocks = [vectors[:32], vectors[32:64], vectors[64:]]
    write_vectors(tmp_path, "v", blocks, rows=70, width=33, storage=storage)  # type: ignore[arg-type]
    back = open_vectors(tmp_path, "v", rows=70, width=33, storage=storage)  # type: ignore[arg-type]
    whole = compressed(vectors, storage)  # type: ignore[arg-type]
    assert (back.block(0, 70) == whole.block(0, 70)).all()
    assert (back.take(np.array([69, 0, 5])) == whole.block(0, 70)[[69, 0, 5]]).all()


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(70, 33)))
    write_vectors(tmp_path, "v", [vectors], rows=70, width=33, storage="int8")
    path, content = tmp_path / "v.npy", (tmp_path / "v.npy").read_bytes()
    for damage in (b"", content[:40], content[:-100], b"rubbish" * 100):
        path.write_bytes(damage)
        with pytest.raises(UserError, match=r"v\.npy.*damaged"):
            open_vectors(tmp_path, "v", rows=70, width=33, storage="int8")
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        open_vectors(tmp_path, "v", rows=71, width=33, storage="int8")
    (tmp_path / "v.scales.npy").unlink()
    with pytest.raises(UserError, match=r"scales\.npy"):
        open_vectors(tmp_path, "v", rows=70, width=33, storage="int8")


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(UserError, match="damaged"):
        open_vectors(tmp_path, "v", rows=1, width=1, storage="float32")
