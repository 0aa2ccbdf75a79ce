"""What a teacher says of the training pairs: asked once, before training begins."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.console import Console
from supertune.contracts import Features, Groups, IntArray, Task
from supertune.data import ScoreCache, ranked_rows
from supertune.errors import UserError
from supertune.recipes.cross_encoder import CrossEncoder, open_cross_encoder
from supertune.recipes.encode import after
from supertune.recipes.rows import LoadedRows
from supertune.recipes.start import Start
from supertune.tasks import RetrievalTask

_KEY = "task.teacher"
_PAIRS_AT_ONCE = 1024
"""Pairs that are kept together: what a killed process loses at most."""
_TIMED = 64
"""Pairs that tell how long all will take."""
_BARELY = 0.5
"""Share of queries for which a teacher should agree with the rows at least."""


def with_teacher(start: Start, rows: LoadedRows, console: Console) -> Start:
    """The same with the teacher that the configuration names, which was opened to see that it can be.

    Raises:
        UserError: It cannot, or there is nothing that it could compare.
    """
    config = start.config
    if config.task.teacher is None:
        return start
    if config.task.negatives in (None, "none") and not _names_several(rows):
        raise _nothing_to_compare()
    about = open_cross_encoder(config.task.teacher, where=_KEY).about
    gc.collect()
    console.say(f"  teacher {about.name}: {about.provenance}")
    return replace(start, teacher=about)


def _names_several(rows: LoadedRows) -> bool:
    """Whether some training rows name two passages for the same query."""
    known: dict[str, str] = {}
    for ranked in ranked_rows(rows.splits["train"], rows.columns):
        if ranked.relevance is None:
            continue
        if len({ranked.passage, *ranked.negatives, known.setdefault(ranked.query, ranked.passage)}) > 1:
            return True
    return False


def _nothing_to_compare() -> UserError:
    return UserError(
        "no query stands beside two passages, so that a teacher has nothing to compare",
        where=_KEY,
        fix="--set task.negatives=bm25 --set task.negatives_per_row=7, or name passages that are not asked for",
    )


def taught(
    start: Start, task: Task, whole: Features, learned: Mapping[str, Features], console: Console
) -> tuple[Mapping[str, Features], dict[str, Any] | None]:
    """The features with the teacher's scores of every training pair, and what is to be told of them.

    The teacher computes in 32 bits, and is let go of before this returns.

    Args:
        start: Says who the teacher is; without one nothing changes.
        task: What is to be learned.
        whole: The training rows as they were encoded.
        learned: What is learned from: the same texts in groups, and other splits.
        console: Where to show progress.

    Returns:
        The latter with scores; for the manifest ``pairs``, ``compared`` (queries with something to compare) and
        ``agreement`` (share of these for which what scores highest is what the rows say that they ask for).

    Raises:
        UserError: There is nothing to compare, or the teacher cannot be opened or gives no numbers.
    """
    groups = learned["train"].groups
    if start.teacher is None or groups is None:
        return learned, None
    assert isinstance(task, RetrievalTask)
    queries, passages, places = _pairs(groups)
    together = _together(groups, queries, passages)
    compared = _compared(queries, together, margins=start.config.train.loss == "margin_mse")
    asking, some = len(np.unique(queries)), len(compared)
    if not some:
        raise _nothing_to_compare()
    if some < asking:
        console.warn(
            f"{asking - some:,} of {asking:,} queries stand beside nothing that the teacher could compare: there the "
            "student learns from the rows alone"
        )
    named = _texts(task, whole, queries, passages)
    scores = _asked(start, named, console)
    # A model and what hangs on it hold each other: without this it would stay beside the one that is trained.
    gc.collect()
    table = np.full(groups.items.shape, np.nan, np.float32)
    table[places >= 0] = scores[places[places >= 0]]
    agreement = _agreement(queries, together, scores, compared)
    told = f"the teacher puts first what the rows say for {agreement:.0%} of {some:,} queries"
    if agreement < _BARELY:
        console.warn(f"{told}: where they disagree the student follows the teacher")
    else:
        console.say(f"  {told}")
    facts = {"pairs": len(named), "compared": some, "agreement": round(agreement, 4)}
    return _scored(learned, table), facts


def unasked(
    start: Start, task: Task, whole: Features, learned: Mapping[str, Features]
) -> tuple[Mapping[str, Features], float]:
    """The features without any score, which a step takes as long with; and the seconds that asking would take.

    Args:
        start: As in `taught`.
        task: As in `taught`.
        whole: As in `taught`.
        learned: As in `taught`.

    Raises:
        UserError: The teacher cannot be opened.
    """
    groups = learned["train"].groups
    if start.teacher is None or groups is None:
        return learned, 0.0
    assert isinstance(task, RetrievalTask)
    queries, passages, _ = _pairs(groups)
    some = np.unique(np.linspace(0, len(queries) - 1, min(len(queries), _TIMED)).astype(np.int64))
    teacher = _opened(start)
    begun = time.perf_counter()
    teacher.score(_texts(task, whole, queries[some], passages[some]))
    seconds = (time.perf_counter() - begun) * len(queries) / len(some)
    return _scored(learned, np.full(groups.items.shape, np.nan, np.float32)), seconds


def _scored(learned: Mapping[str, Features], scores: NDArray[np.float32]) -> Mapping[str, Features]:
    train = learned["train"]
    assert train.groups is not None
    return {**learned, "train": replace(train, groups=replace(train.groups, scores=scores))}


def _texts(task: RetrievalTask, whole: Features, queries: IntArray, passages: IntArray) -> list[tuple[str, str]]:
    """The two texts of each pair, without what the student's prompts put before them."""
    texts = task.texts_of(whole)
    return [(texts[query], texts[passage]) for query, passage in zip(queries, passages, strict=True)]


def _opened(start: Start) -> CrossEncoder:
    """The teacher, where it is to compute.

    Raises:
        UserError: It cannot be opened.
    """
    import torch

    assert start.config.task.teacher is not None
    teacher = open_cross_encoder(start.config.task.teacher, where=_KEY)
    torch.nn.Module.to(teacher.model, start.device)
    return teacher


def _pairs(groups: Groups) -> tuple[IntArray, IntArray, IntArray]:
    """The query and the passage of every different pair, and which of them stands in each place of the groups.

    Returns:
        int64 (pairs,) twice, in the order of the groups; int64 of the shape of ``items``, -1 where no pair stands.
    """
    there = groups.items >= 0
    there[:, 0] = False
    rows, columns = np.nonzero(there)
    every = np.stack([groups.items[rows, 0], groups.items[rows, columns]], axis=1)
    _, first, inverse = np.unique(every, axis=0, return_index=True, return_inverse=True)
    # In the order in which they come up.
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    places = np.full(groups.items.shape, -1, np.int64)
    places[rows, columns] = rank[inverse.reshape(-1)]
    pairs = every[first[order]]
    return pairs[:, 0], pairs[:, 1], places


def _asked(start: Start, pairs: list[tuple[str, str]], console: Console) -> NDArray[np.float32]:
    """Float32 (pairs,): the teacher's scores, as they were kept or by asking it.

    Raises:
        UserError: It cannot be opened, or gives no numbers.
    """
    teacher = _opened(start)
    cache = ScoreCache(console.warn)
    scores = np.empty(len(pairs), np.float32)
    cut = new = 0
    with console.progress("asking the teacher", len(pairs)) as bar:
        for begin in range(0, len(pairs), _PAIRS_AT_ONCE):
            some = pairs[begin : begin + _PAIRS_AT_ONCE]
            key = teacher.key(some)
            found = cache.find(key, len(some))
            if found is None:
                found, shortened = teacher.score(some, progress=after(begin, bar))
                _check_numbers(teacher, some, found)
                cache.keep(key, found)
                cut, new = cut + shortened, new + len(some)
            scores[begin : begin + len(some)] = found
            bar(begin + len(some))
    if new:
        cache.tidy()
    if cut:
        console.warn(f"{cut:,} of {new:,} pairs are longer than the {teacher.max_length} tokens that the teacher reads")
    return scores


def _check_numbers(teacher: CrossEncoder, pairs: list[tuple[str, str]], scores: NDArray[np.float32]) -> None:
    wrong = np.flatnonzero(~np.isfinite(scores))
    if len(wrong):
        raise UserError(
            f"{teacher.about.name} gives {len(wrong):,} pairs no number, one of them with {pairs[wrong[0]][0]!r}",
            where=_KEY,
            fix="use another teacher: its weights are damaged, or it cannot compute in 32 bits",
        )


def _together(groups: Groups, queries: IntArray, passages: IntArray) -> NDArray[np.bool_]:
    """Bool (pairs,): whether some row says that the passage is what the query asks for."""
    known = set(map(tuple, groups.items[groups.relevance > 0, :2].tolist()))
    return np.array([pair in known for pair in zip(queries.tolist(), passages.tolist(), strict=True)], bool)


def _compared(queries: IntArray, together: NDArray[np.bool_], *, margins: bool) -> IntArray:
    """The queries with two passages; for margins with one that is asked for and one that is not."""
    if not margins:
        return np.flatnonzero(np.bincount(queries) > 1)
    return np.intersect1d(queries[together], queries[~together])


def _agreement(
    queries: IntArray, together: NDArray[np.bool_], scores: NDArray[np.float32], compared: IntArray
) -> float:
    """Share of the compared queries of which the passage that scores highest is one that the rows say they ask for."""
    best_first = np.lexsort((-scores, queries))
    asked, first = np.unique(queries[best_first], return_index=True)
    right: NDArray[np.bool_] = together[best_first[first]]
    return float(right[np.isin(asked, compared)].mean())
