"""Texts in batches, and work on batches in this process or in several."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

Batch = list[str]
Result = TypeVar("Result")
_TEXTS, _CHARACTERS = 1 << 14, 1 << 21
_PIECE = 64
_AHEAD = 2


def batches(texts: Iterable[str]) -> Iterator[Batch]:
    """The texts in order, in batches of at most 16,384 and about two million characters."""
    batch: Batch = []
    characters = 0
    rest = iter(texts)
    while piece := list(islice(rest, _PIECE)):
        batch += piece
        characters += sum(map(len, piece))
        if len(batch) >= _TEXTS or characters >= _CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


@contextmanager
def workers_of(count: int) -> Iterator[Workers]:
    """Workers for the block: this process, or with more than one, processes of their own, which end with it."""
    if count == 1:
        yield Workers(None, 1)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_ignore_interrupts)
    try:
        yield Workers(pool, count)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Workers:
    """Does work on batches, in order."""

    def __init__(self, pool: ProcessPoolExecutor | None, count: int) -> None:
        self._pool = pool
        self._count = count

    def mapped(self, function: Callable[[Batch], Result], items: Iterable[Batch]) -> Iterator[Result]:
        """The function of every batch, in order; only a few batches are under way at a time."""
        if self._pool is None:
            yield from map(function, items)
            return
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(function, item))
            if len(waiting) >= _AHEAD * self._count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that began, which then ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
