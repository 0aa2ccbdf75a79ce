"""Texts in batches, and work on batches in this process or in several."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Batch = list[str]
Result = TypeVar("Result")
_TEXTS, _CHARACTERS = 1 << 14, 1 << 21
_AHEAD = 2


def batches(texts: Iterable[str]) -> Iterator[Batch]:
    """The texts in order, in batches of at most 16,384 and about two million characters."""
    batch: Batch = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) == _TEXTS or characters >= _CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def mapped(function: Callable[[Batch], Result], items: Iterable[Batch], workers: int) -> Iterator[Result]:
    """The function of every batch, in order; with more than one worker, in processes of their own.

    Only a few batches are under way at a time. Ctrl-C is for this process, which then ends the others.
    """
    if workers == 1:
        yield from map(function, items)
        return
    import multiprocessing
    from concurrent.futures import Future, ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupts)
    try:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
