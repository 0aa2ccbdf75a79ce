"""The same work on many pieces, in this process or in several, with the results in order."""

from __future__ import annotations

import collections
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")

_AHEAD = 3
"""Pieces per process that wait or are worked on: enough that none is idle, few enough to bound memory."""


def in_order(work: Callable[[_Given], _Made], pieces: Iterable[_Given], workers: int) -> Iterator[_Made]:
    """``work`` of every piece, in the order of the pieces; an error comes out where its piece would have.

    Processes are started anew rather than forked: threads of this one may hold locks. ``work`` and the pieces have to
    be things that can be pickled.
    """
    if workers <= 1:
        yield from map(work, pieces)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_deaf)
    waiting: collections.deque[Future[_Made]] = collections.deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _deaf() -> None:
    """Ctrl-C reaches every process of a terminal; only the first is to act on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
