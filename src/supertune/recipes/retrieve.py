"""Passages found: by the nearness of their vectors, by their words, or by both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from supertune.console import Console
from supertune.data import OnBadRow, infer_columns, read
from supertune.errors import UserError
from supertune.language import join_fields, shorten
from supertune.passages import NOTHING, Found, PassageIndex, fused, open_folder
from supertune.recipes.embedder import Embedder, open_embedder
from supertune.recipes.passages import making_of
from supertune.recipes.reorder import USUAL_DEPTH, Reranker, open_reranker
from supertune.runs import free_name, json_value

Method = Literal["exact", "approximate", "bm25", "hybrid"]
METHODS: tuple[Method, ...] = get_args(Method)

_BATCH, _BATCH_READ = 256, 8
"""Queries searched at once, and where a model reads what they have found."""
_FUSED = 100
"""Passages of each ranking that a hybrid search looks at, or as many as are wanted if that is more."""

_FURTHER = 4
_TEXT_WIDTH = 80


@dataclass(frozen=True, eq=False)
class OpenIndex:
    """An index that answers.

    Attributes:
        index: What is searched.
        model: The model to use, if not found under the name it had; None: that name.
        reranker: What puts the best of what is found in a better order; None: nothing does.
    """

    index: PassageIndex
    model: str | None = None
    reranker: Reranker | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def manifest(self) -> dict[str, Any]:
        """What is known of the index: model, data, counts, recall."""
        return dict(self.index.manifest)

    @property
    def method(self) -> Method:
        """How it is searched unless asked otherwise: ``approximate`` where it was made for that, else ``exact``."""
        return "approximate" if self.index.manifest["graph"] else "exact"

    @cached_property
    def embedder(self) -> Embedder:
        """The model that made the vectors.

        Raises:
            UserError: It is not here, or other weights go by its name now.
        """
        told = self.index.manifest["model"]
        embedder = open_embedder(self.model or told["name"], max_length=int(told["max_length"]))
        if embedder.sha256 != told["sha256"] or making_of(embedder) != told["making"]:
            what = "has other weights" if embedder.sha256 != told["sha256"] else "pools otherwise or has other prompts"
            raise UserError(
                f"was made with {told['name']}, and {embedder.name} {what}: its vectors lie elsewhere",
                where=str(self.index.folder),
                fix="name the model that it was made with (--model), or make the index again",
            )
        return embedder

    def search(
        self, texts: Sequence[str], count: int = 10, *, method: Method | None = None
    ) -> list[list[dict[str, Any]]]:
        """For each text the rows that are found, the best first.

        Args:
            texts: What is asked.
            count: How many rows to find for each.
            method: ``exact``, ``approximate``, ``bm25`` (by words), or ``hybrid``: the rankings by vectors and by words
                as one (reciprocal rank fusion). None: `method`.

        Returns:
            For each text ``{"rank", "score", "row", "text", "start", "end", "columns"}`` per row found: its 0-based
            number in the data, the passage that was found, which characters of the row's text it is, and all of the
            row's columns. The score is a cosine, a BM25 score, or a sum of reciprocal ranks; with a reranker what that
            orders by.

        Raises:
            UserError: There is no such method, the model is not here, or files of the index are damaged.
            MissingExtraError: The method needs a package that is not installed.
        """
        method = check_method(method, "method") or self.method
        if count < 1:
            raise UserError(f"{count} results cannot be found", where="count", fix="ask for 1 or more")
        results = []
        for start in range(0, len(texts), self.batch):
            results += self._search(texts[start : start + self.batch], count, method)
        return results

    @property
    def batch(self) -> int:
        """Queries that are searched at once."""
        return _BATCH if self.reranker is None else _BATCH_READ

    def _search(self, texts: Sequence[str], count: int, method: Method) -> list[list[dict[str, Any]]]:
        vectors = None if method == "bm25" else self.embedder.encode(texts, "query")
        wanted = min(count if self.reranker is None else max(count, self.reranker.depth), len(self))
        while True:
            found = self._found(texts, vectors, wanted, method)
            if self.reranker is not None:
                found = self.reranker.reordered(texts, found, self._text)
            best = [self._by_row(found, query, count) for query in range(len(texts))]
            # Of several windows of a row the best one counts, so more windows than rows may be needed.
            short = [query for query, rows in enumerate(best) if len(rows) < count and found.ids[query, -1] != NOTHING]
            if not short or wanted == len(self):
                return [[self._told(rank, *hit) for rank, hit in enumerate(rows, 1)] for rows in best]
            wanted = min(_FURTHER * wanted, len(self))

    def _found(self, texts: Sequence[str], vectors: Any, count: int, method: Method) -> Found:
        if method == "bm25":
            return self.index.by_words(texts, count)
        if method == "approximate":
            return self.index.approximate(vectors, count)
        if method == "exact":
            return self.index.exact(vectors, count)
        depth = min(max(count, _FUSED), len(self))
        near = self._found(texts, vectors, depth, self.method)
        return fused([near, self.index.by_words(texts, depth)], count)

    def _by_row(self, found: Found, query: int, count: int) -> list[tuple[int, float]]:
        """(passage, score) of the best passage of each row."""
        best: dict[int, tuple[int, float]] = {}
        for passage, score in zip(found.ids[query].tolist(), found.scores[query].tolist(), strict=True):
            if passage == NOTHING or len(best) == count:
                break
            best.setdefault(int(self.index.spans[passage, 0]), (passage, score))
        return list(best.values())

    def _row(self, passage: int) -> tuple[dict[str, Any], str]:
        """The columns of a passage's row, and what of its text the passage is."""
        position, start, end = self.index.spans[passage].tolist()
        columns = self.index.rows.row(position)
        return columns, join_fields([columns[name] for name in self.index.manifest["data"]["text"]])[start:end]

    def _text(self, passage: int) -> str:
        return self._row(passage)[1]

    def _told(self, rank: int, passage: int, score: float) -> dict[str, Any]:
        position, start, end = self.index.spans[passage].tolist()
        columns, text = self._row(passage)
        return {
            "rank": rank,
            "score": score,
            "row": int(self.index.row_ids[position]),
            "text": text,
            "start": start,
            "end": end,
            "columns": {name: json_value(value) for name, value in columns.items()},
        }


def open_index(
    index: Path,
    *,
    model: str | None = None,
    reranker: str | None = None,
    depth: int = USUAL_DEPTH,
    verify: bool = True,
    where: str = "reranker",
) -> OpenIndex:
    """Open an index; the model is opened with the first text.

    Args:
        index: The folder that ``supertune index`` made.
        model: Where the model is now, if not under the name it had; it must have the same weights.
        reranker: See `open_reranker`; None: what is found stays in its order.
        depth: Passages that it reads for each text.
        verify: Compare every file with its SHA-256 first.
        where: What names the reranker, for messages.

    Raises:
        UserError: There is no index, files of it are missing or damaged, or the reranker cannot be opened.
    """
    opened = open_folder(index, verify=verify)
    return OpenIndex(opened, model, open_reranker(reranker, depth, where=where) if reranker is not None else None)


def retrieve_file(
    index: OpenIndex,
    file: object,
    *,
    text: list[str] | None = None,
    count: int = 10,
    method: Method | None = None,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    console: Console,
) -> Iterator[dict[str, object]]:
    """Search for every row of a file, in order.

    Args:
        index: Where to search.
        file: Rows as `supertune.read` takes them.
        text: Text columns, joined; None: inferred.
        count: Rows to find for each.
        method: See `OpenIndex.search`.
        on_bad_row: What to do with malformed rows.
        sheet: Sheet of a spreadsheet.
        console: Where to say what was inferred, and to show progress.

    Returns:
        The columns of each query, ``row`` (its number in the file) and ``results``; names that the columns have
        already get the prefix ``supertune_``.

    Raises:
        UserError: The rows cannot be used; or see `OpenIndex.search`.
    """
    table = read(file, on_bad_row=on_bad_row, sheet=sheet)
    columns = infer_columns(table, text=text, need_label=False, pair=False)
    for announcement in columns.announcements:
        console.say(f"  {announcement}")
    with console.progress("searching", len(table)) as bar:
        done = 0
        for batch in table.batches(index.batch):
            rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
            queries = [join_fields([row[name] for name in columns.text]) for row in rows]
            for row, results in zip(rows, index.search(queries, count, method=method), strict=True):
                line = {name: json_value(value) for name, value in row.items()}
                line[free_name("row", row)] = int(table.row_ids[done])
                line[free_name("results", row)] = results
                yield line
                done += 1
            bar(done)


def retrieve_texts(
    index: OpenIndex, texts: Iterable[str], *, count: int = 10, method: Method | None = None
) -> Iterator[dict[str, object]]:
    """Search for texts as they come: ``{"query", "results"}`` for each.

    Raises:
        UserError: See `OpenIndex.search`.
    """
    coming = iter(texts)
    while batch := list(islice(coming, index.batch)):
        for query, results in zip(batch, index.search(batch, count, method=method), strict=True):
            yield {"query": query, "results": results}


def readable_results(found: Iterable[Mapping[str, Any]], console: Console) -> None:
    """What was found, as tables for people: rank, score, number of the row, beginning of the text."""
    for query in found:
        console.heading(shorten(query["query"], _TEXT_WIDTH))
        rows = query["results"]
        if not rows:
            console.say("  nothing found")
            continue
        cells = ((hit["rank"], f"{hit['score']:.4f}", hit["row"], shorten(hit["text"], _TEXT_WIDTH)) for hit in rows)
        lines = [tuple(map(str, line)) for line in cells]
        console.table(("rank", "score", "row", "text"), lines, right=(0, 1, 2))


def check_method(name: str | None, where: str = "--method") -> Method | None:
    """The method of this name; None for none.

    Raises:
        UserError: There is no such method.
    """
    if name is None:
        return None
    for method in METHODS:
        if name == method:
            return method
    raise UserError(f"{name!r} is not a choice", where=where, fix=f"use {', '.join(METHODS)}")
