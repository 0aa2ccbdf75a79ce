"""The verbs of searching as Python functions; offered by ``import supertune``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supertune.console import Console

if TYPE_CHECKING:
    from supertune.recipes.retrieve import Method, OpenIndex

__all__ = ["index", "open_index", "retrieve"]


def index(
    data: object,
    *,
    out: str | Path,
    model: str | None = None,
    text: str | Sequence[str] | None = None,
    storage: str = "float32",
    dimensions: int | None = None,
    rescore: str = "auto",
    approximate: bool = False,
    recall: float = 0.98,
    split: bool = False,
    max_length: int | None = None,
    quiet: bool = True,
) -> OpenIndex:
    """Make texts ready to be found; ``supertune index``.

    The same call goes on with an index that was interrupted.

    Args:
        data: A list of texts, or rows as `read` takes them.
        out: The folder to make.
        model: Registered name, folder, hub id or run; None: by the language of the texts.
        text: Text column or columns, joined; None: inferred.
        storage: How vectors are kept: ``float32``, ``float16``, ``int8`` or ``binary``.
        dimensions: How many numbers of each vector are searched, for models that were trained for it; None: all.
        rescore: How the vectors are kept by which the best are scored again; ``auto``: ``int8`` beside ``binary``.
        approximate: Make a graph for approximate search as well (extra ``index``).
        recall: The share of the ten nearest passages that approximate search is to find.
        split: Cut passages that are longer than the model reads into overlapping windows of whole sentences.
        max_length: Tokens per passage; None: what is usual for the model.
        quiet: False shows on standard error what the command line shows.

    Raises:
        UserError: Data, model or place cannot be used, or another index was begun there.
    """
    from supertune.recipes.index import IndexChoices, make_index

    if isinstance(data, Sequence) and not isinstance(data, str) and all(isinstance(item, str) for item in data):
        data, text = {"text": list(data)}, ["text"]
    make_index(
        data,
        out=Path(out),
        model=model,
        text=[text] if isinstance(text, str) else list(text) if text is not None else None,
        choices=IndexChoices(storage, dimensions, rescore, approximate, recall, split),
        max_length=max_length,
        console=Console(quiet=quiet),
    )
    return open_index(out)


def open_index(
    folder: str | Path,
    *,
    model: str | None = None,
    reranker: str | None = None,
    depth: int = 50,
    verify: bool = True,
) -> OpenIndex:
    """Open an index that `index` made.

    Args:
        folder: Where it is.
        model: Where its model is now, if not under the name it had.
        reranker: A run of the task ``rerank``, or a cross-encoder with one output (folder or hub id), that reads the
            best passages together with the query and puts them in order.
        depth: How many of them it reads for each text.
        verify: Compare every file with its SHA-256 first.

    Raises:
        UserError: There is no index, files of it are missing or damaged, or the reranker cannot be opened.
    """
    from supertune.recipes.retrieve import open_index as open_folder

    return open_folder(Path(folder), model=model, reranker=reranker, depth=depth, verify=verify)


def retrieve(
    folder: str | Path,
    texts: str | Sequence[str],
    *,
    count: int = 10,
    method: Method | None = None,
    model: str | None = None,
    reranker: str | None = None,
    depth: int = 50,
) -> list[list[dict[str, Any]]]:
    """The rows that texts find in an index; ``supertune retrieve``. `open_index` keeps it open for further texts.

    Args:
        folder: The index.
        texts: What is asked, a text or several.
        count: How many rows to find for each.
        method: ``exact``, ``approximate``, ``bm25`` or ``hybrid``; None: as the index was made for.
        model: Where its model is now, if not under the name it had.
        reranker: See `open_index`.
        depth: See `open_index`.

    Returns:
        For each text the rows found, the best first; see `OpenIndex.search`.

    Raises:
        UserError: The index, the model or the method cannot be used.
    """
    given = [texts] if isinstance(texts, str) else list(texts)
    opened = open_index(folder, model=model, reranker=reranker, depth=depth)
    return opened.search(given, count, method=method)
