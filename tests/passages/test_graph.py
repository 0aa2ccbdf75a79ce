"""Approximate search: nearly all of the truth, the same graph each time, and damage refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from supertune.errors import UserError
from supertune.passages import NOTHING, Vectors, build_graph, enough, nearest, open_graph, recall, rescored


def clustered(rows: int, width: int) -> np.ndarray:
    generator = np.random.default_rng(2)
    values = generator.normal(size=(40, width))[generator.integers(0, 40, rows)] + generator.normal(size=(rows, width))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_a_walk_finds_nearly_all_and_repeats_exactly(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    vectors = clustered(3000, 48)
    whole, queries = Vectors("float32", 48, vectors), clustered(3000, 48)[:100]
    for name in ("one", "two"):
        build_graph([vectors[:1000], vectors[1000:]], 48, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    graph = open_graph(tmp_path / "one", passages=3000, width=48)
    truth = nearest(whole, queries, 10)
    shares = []
    for effort in (16, 64, 256):
        ids = graph.near(queries, effort)
        assert ids.shape == (100, effort)
        shares.append(float(recall(rescored(whole, queries, ids, 10), truth, whole, queries).mean()))
    assert shares == sorted(shares)
    assert shares[-1] > 0.99
    # A query finds the same alone, and scores are those of an exact search.
    assert (graph.near(queries[:1], 64) == graph.near(queries, 64)[:1]).all()
    found = rescored(whole, queries, graph.near(queries, 256), 1)
    same = found.ids == truth.ids[:, :1]
    assert (found.scores[same] == truth.scores[:, :1][same]).all()


def test_small_graphs_give_what_there_is(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    vectors = clustered(3, 8)
    build_graph([vectors], 8, tmp_path / "graph")
    ids = open_graph(tmp_path / "graph", passages=3, width=8).near(vectors, 16)
    assert ids.shape == (3, 3)
    assert (np.sort(ids[ids != NOTHING].reshape(3, -1), axis=1) == np.arange(3)).all()


def test_another_or_damaged_graph_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    build_graph([clustered(50, 8)], 8, tmp_path / "graph")
    for passages, width in ((51, 8), (50, 9)):
        with pytest.raises(UserError, match="damaged"):
            open_graph(tmp_path / "graph", passages=passages, width=width)
    (tmp_path / "graph").write_bytes(b"rubbish" * 100)
    with pytest.raises(UserError, match="damaged"):
        open_graph(tmp_path / "graph", passages=50, width=8)


def test_the_least_effort_that_is_enough_is_chosen() -> None:
    curve = [(16, 0.9), (32, 0.96), (64, 0.99)]
    assert enough(curve, 0.95) == 32
    assert enough(curve, 0.999) == 64
    assert enough([(16, 0.9), (32, 0.9)], 0.99) == 16


def test_the_missing_package_is_named() -> None:
    code = (
        "import sys; sys.modules['usearch'] = None\nfrom supertune.passages import check_installed\ncheck_installed()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingExtraError" in done.stderr
    assert "pip install 'supertune[index]'" in done.stderr
