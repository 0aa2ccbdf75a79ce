"""An index on the disk: a folder of plain files, and what its manifest says of them.

``manifest.json`` (model, data, counts, what was measured, size and SHA-256 of every file), ``rows.arrow`` (the user's
rows), ``row_ids.npy`` and ``spans.npy`` (which characters of which row each passage is), ``vectors.npy``, the folder
``bm25``, and where asked for ``finer.npy`` and ``graph.usearch``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import IntArray
from supertune.errors import UserError
from supertune.files import explained, read_json, sha256_file, write_json
from supertune.passages.bm25 import Bm25
from supertune.passages.exact import nearest, nearest_bits, rescored
from supertune.passages.graph import Graph, open_graph
from supertune.passages.ranking import Found
from supertune.passages.rows import RowReader
from supertune.passages.vectors import STORAGES, Vector32, Vectors, open_array, open_vectors, shortened

FORMAT = 1
"""Version of the folder; a reader refuses what a newer supertune wrote."""

MANIFEST = "manifest.json"
ROWS, ROW_IDS, SPANS, VECTORS, FINER, GRAPH, BM25 = (
    "rows.arrow",
    "row_ids.npy",
    "spans.npy",
    "vectors",
    "finer",
    "graph.usearch",
    "bm25",
)
_CANDIDATES, _PER_RESULT = 100, 10
"""Of vectors in few bits so many are scored again, or so many for each one that is wanted if that is more."""


@dataclass(frozen=True, eq=False)
class PassageIndex:
    """Passages that can be searched; files are opened when they are first needed.

    Attributes:
        folder: Where it is.
        manifest: What is known of it.
    """

    folder: Path
    manifest: Mapping[str, Any]

    def __len__(self) -> int:
        return int(self.manifest["passages"]["count"])

    @property
    def width(self) -> int:
        """Numbers in a vector as the model makes it."""
        return int(self.manifest["model"]["width"])

    @cached_property
    def vectors(self) -> Vectors:
        """What is searched."""
        kept = self.manifest["vectors"]
        return open_vectors(self.folder, VECTORS, rows=len(self), width=kept["dimensions"], storage=kept["storage"])

    @cached_property
    def finer(self) -> Vectors | None:
        """What the best of that are scored with, if that is something else."""
        kept = self.manifest["vectors"]["rescore"]
        return open_vectors(self.folder, FINER, rows=len(self), width=self.width, storage=kept) if kept else None

    @cached_property
    def graph(self) -> Graph:
        """What is walked in an approximate search.

        Raises:
            UserError: There is none.
        """
        if not self.manifest["graph"]:
            raise UserError(
                "was made without --approximate", where=str(self.folder), fix="make it again with it, or search exactly"
            )
        return open_graph(self.folder / GRAPH, passages=len(self), width=self.manifest["vectors"]["dimensions"])

    @cached_property
    def bm25(self) -> Bm25:
        """What is searched by words."""
        found = Bm25.open(self.folder / BM25)
        if found.count != len(self):
            raise UserError("is damaged", where=str(self.folder / BM25), fix="make the index again")
        return found

    @cached_property
    def rows(self) -> RowReader:
        """The user's rows."""
        return RowReader(self.folder / ROWS, int(self.manifest["data"]["rows"]))

    @cached_property
    def row_ids(self) -> IntArray:
        """int64 (rows,): 0-based number of each row in the file it came from."""
        rows = int(self.manifest["data"]["rows"])
        return np.asarray(open_array(self.folder / ROW_IDS, (rows,), "int64"))

    @cached_property
    def spans(self) -> IntArray:
        """int64 (passages, 3): position of the row of each passage, its first character, and behind its last."""
        return np.asarray(open_array(self.folder / SPANS, (len(self), 3), "int64"))

    def exact(self, queries: Vector32, count: int) -> Found:
        """The nearest passages, all of them looked at.

        Where vectors are kept in fewer numbers or single bits, the best hundred by them (or ten for each that is
        wanted) are scored by the finer vectors; bits without finer ones are scored as vectors of ±1.
        """
        short = shortened(queries, self.vectors.width)
        if self.finer is None and self.vectors.storage != "binary":
            return nearest(self.vectors, short, count)
        candidates = max(_CANDIDATES, _PER_RESULT * count)
        if self.vectors.storage == "binary":
            ids = nearest_bits(self.vectors, short, candidates)
        else:
            ids = nearest(self.vectors, short, candidates).ids
        return self._scored(queries, ids, count)

    def approximate(self, queries: Vector32, count: int, *, effort: int | None = None) -> Found:
        """The nearest passages that a walk through the graph comes upon.

        Args:
            queries: float32 (queries, width), of length 1 each.
            count: How many to find for each.
            effort: How many are kept in sight; None: what was chosen when the index was made.

        Raises:
            UserError: There is no graph.
            MissingExtraError: usearch is not installed.
        """
        graph = self.graph
        kept = effort or int(self.manifest["graph"]["effort"])
        ids = graph.near(shortened(queries, self.vectors.width), max(kept, count))
        return self._scored(queries, ids, count)

    def by_words(self, queries: Sequence[str], count: int) -> Found:
        """The passages with the highest BM25 scores."""
        return self.bm25.search(queries, count)

    def _scored(self, queries: Vector32, ids: IntArray, count: int) -> Found:
        finer = self.finer if self.finer is not None else self.vectors
        return rescored(finer, shortened(queries, finer.width), ids, count)


def seal(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, with size and SHA-256 of every file in the folder; the last thing that is written."""
    files = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    write_json(folder / MANIFEST, {"format": FORMAT, **manifest, "files": files})


def open_folder(folder: Path, *, verify: bool = True) -> PassageIndex:
    """Open an index.

    Args:
        folder: Where it is.
        verify: Compare every file with its SHA-256, and not its size alone.

    Raises:
        UserError: There is none, a file is missing or damaged, or a newer supertune wrote it.
    """
    path = folder / MANIFEST
    with explained(folder):
        if not path.is_file():
            raise UserError("is no index", where=str(folder), fix="make one: supertune index DATA --out INDEX")
    manifest = read_json(path)
    _check(manifest, path)
    for name, told in manifest["files"].items():
        file = folder / name
        with explained(file):
            whole = file.stat().st_size == told["bytes"] and (not verify or sha256_file(file) == told["sha256"])
        if not whole:
            raise UserError("has changed since it was written", where=str(file), fix="make the index again")
    return PassageIndex(folder, manifest)


def _check(manifest: Any, path: Path) -> None:
    """Refuse what is not the manifest of an index.

    Raises:
        UserError: It is not.
    """
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int) or "passages" not in manifest:
        raise UserError("is not the manifest of an index", where=str(path), fix="name a folder of supertune index")
    if manifest["format"] > FORMAT:
        raise UserError(
            f"was written by a newer supertune (format {manifest['format']}, this one reads up to {FORMAT})",
            where=str(path),
            fix="pip install --upgrade supertune",
        )
    try:
        model, kept, files = manifest["model"], manifest["vectors"], manifest["files"]
        fine = (
            isinstance(model["name"], str)
            and isinstance(model["sha256"], str)
            and isinstance(model["making"], list)
            and 0 < int(kept["dimensions"]) <= int(model["width"])
            and kept["storage"] in STORAGES
            and kept["rescore"] in (None, *STORAGES)
            and (manifest["graph"] is None or int(manifest["graph"]["effort"]) > 0)
            and int(manifest["passages"]["count"]) >= 0
            and int(manifest["data"]["rows"]) >= 0
            and all(_inside(name) and {"bytes", "sha256"} <= told.keys() for name, told in files.items())
            and all(isinstance(name, str) for name in manifest["data"]["text"])
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("is damaged", where=str(path), fix="restore the file, or make the index again") from error
    if not fine:
        raise UserError("is damaged", where=str(path), fix="restore the file, or make the index again")


def _inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts
