"""Tokens of many rows, made in several processes: where Python itself is most of the work, threads do not help.

The rows are cut into parts. This process makes tokens of one part after the other, as it would without others, and
each of the others takes a part whenever it has none. The parts come out in their order, whoever did them, and are the
same as those of one process. What is done is kept for no more than a few parts, so memory does not grow with the rows.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import Apart, Features, IntArray, Task
from supertune.data import Table
from supertune.errors import UserError
from supertune.tasks import joined

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WORTH = 30_000
"""Rows for each process beside this one: of fewer, starting it takes as long as it saves."""
ROWS, BYTES = 2048, 8_000_000
"""Of a part, at most; a row may be larger."""
_SLICE = 256
"""Rows looked at at once: one of them may be a megabyte."""
MOST = 15
"""Processes beside this one, at most: there is one to cut the rows into parts."""
_AHEAD = 3
"""Parts of each process that may be done before those that come first."""
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from supertune.recipes.token_process import main; main()"
)


def token_pieces(
    task: Task, table: Table, tokenizer: PreTrainedTokenizerBase, max_length: int, *, processes: int
) -> Iterator[Features]:
    """As `Task.token_batches`, in up to so many processes where the rows are so many that it pays.

    Raises:
        UserError: A row is wrong; or a process was ended by somebody else.
    """
    others = min(processes - 1, len(table) // WORTH, MOST)
    work = task.apart(tokenizer, max_length) if others > 0 else None
    if work is None:
        yield from task.token_batches(table, tokenizer, max_length)
    else:
        yield from shared_pieces(work, table, task.token_columns(table), others)


def shared_pieces(work: Apart, table: Table, columns: tuple[str, ...], others: int) -> Iterator[Features]:
    """The pieces that ``work`` makes of a table's columns, with so many processes beside this one.

    Raises:
        UserError: A row is wrong: the first of those that are; or a process was ended by somebody else.
    """
    parts = _Parts(table, columns, window=_AHEAD * (others + 1))
    notes: list[tuple[int, Mapping[str, Any]]] = []
    piece: Features | None = None
    with contextlib.ExitStack() as stack:
        stack.callback(parts.close)
        content = pickle.dumps(work, pickle.HIGHEST_PROTOCOL)
        for _ in range(others):
            stack.enter_context(_process(parts, content))
        for first, found in parts.in_order(work):
            piece = replace(found, rows=found.rows + first, notes=None)
            if found.notes is not None:
                notes.append((first, found.notes))
            yield piece
    assert piece is not None
    empty = piece.take(np.zeros(0, np.int64))
    yield replace(empty, notes=work.noted(notes) if notes else None)


@dataclass
class _Part:
    """Some of the rows, and what was made of them: features or what is wrong."""

    first: int
    rows: Any
    result: Features | BaseException | None = None


class _Parts:
    """The parts of a table, each taken once, and what was made of them.

    Args:
        table: The rows.
        columns: What is needed of them.
        window: How many parts may be taken before the first of them is given away.
    """

    def __init__(self, table: Table, columns: tuple[str, ...], window: int) -> None:
        self.source, self.row_ids = table.source, table.row_ids
        self._window = window
        self._cut = _cut(table, columns)
        self._next = next(self._cut, None)
        self._waiting: deque[_Part] = deque()
        self._closed = False
        self._failure: UserError | None = None
        self._changed = threading.Condition()

    def take(self, *, wait: bool) -> _Part | None:
        """A part that nobody has; None where there is none, or none that may be done already and ``wait`` is off."""
        with self._changed:
            while wait and not self._closed and self._next is not None and len(self._waiting) >= self._window:
                self._changed.wait()
            part = self._next
            if self._closed or part is None or len(self._waiting) >= self._window:
                return None
            self._waiting.append(part)
            self._next = next(self._cut, None)
            return part

    def done(self, part: _Part, result: Features | BaseException) -> None:
        """What was made of a part."""
        with self._changed:
            part.result, part.rows = result, None
            self._changed.notify_all()

    def fail(self, part: _Part | None, error: UserError) -> None:
        """A process was ended, with a part or without; of no account once it is over."""
        with self._changed:
            self._failure = self._failure or error
        if part is not None:
            self.done(part, error)

    def in_order(self, work: Apart) -> Iterator[tuple[int, Features]]:
        """The number of each part's first row, and its features; parts that others are not at are done here."""
        while True:
            if not self._waiting or self._waiting[0].result is None:
                mine = self.take(wait=False)
                if mine is not None:
                    self.done(mine, _made(work, self.table_of(mine)))
                    continue
                if not self._waiting:
                    return
            with self._changed:
                while self._waiting[0].result is None:
                    self._changed.wait()
                part = self._waiting.popleft()
                self._changed.notify_all()
            result = self._failure or part.result
            if isinstance(result, BaseException):
                raise result
            assert result is not None
            yield part.first, result

    def table_of(self, part: _Part) -> Table:
        """A part as a table."""
        return Table.from_arrow(part.rows, source=self.source, row_ids=self.numbers_of(part))

    def numbers_of(self, part: _Part) -> IntArray:
        """The numbers of a part's rows in their file."""
        return self.row_ids[part.first : part.first + part.rows.num_rows]

    def close(self) -> None:
        """Nobody wants any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _cut(table: Table, columns: tuple[str, ...]) -> Iterator[_Part]:
    """A table in parts, in order; at least one, which may be empty."""
    import pyarrow as pa

    first = count = size = 0
    held: list[Any] = []
    for piece in table.arrow_batches(_SLICE, columns):
        held.append(piece)
        count, size = count + piece.num_rows, size + piece.nbytes
        if count >= ROWS or size >= BYTES:
            yield _Part(first, pa.concat_tables(held))
            first, count, size, held = first + count, 0, 0, []
    if held:
        yield _Part(first, pa.concat_tables(held))


def _made(work: Apart, rows: Table) -> Features | UserError:
    """The features of rows, made here; what is wrong with them is told when their turn comes, as with all parts."""
    try:
        return joined(work(rows))
    except UserError as error:
        return error


@contextlib.contextmanager
def _process(parts: _Parts, content: bytes) -> Iterator[None]:
    """A process that does parts as long as there are any, ended at the end whatever happens."""
    # One thread for its tokenizer: there are as many processes as cores.
    surroundings = {**os.environ, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-c", _START, json.dumps(sys.path)]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=surroundings)
    feeder = threading.Thread(target=_feed, args=(parts, process, content), daemon=True)
    feeder.start()
    try:
        yield
    finally:
        parts.close()
        process.kill()
        process.wait()
        feeder.join()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def _feed(parts: _Parts, process: subprocess.Popen[bytes], content: bytes) -> None:
    """Give a process a part whenever it has none, and take what it makes of it."""
    orders, answers = _connection(process.stdin), _connection(process.stdout)
    part = None
    try:
        orders.send_bytes(content)
        while (part := parts.take(wait=True)) is not None:
            orders.send((_stored(part.rows), parts.numbers_of(part), parts.source))
            parts.done(part, _told(*answers.recv()))
    except (EOFError, OSError):
        parts.fail(part, _ended(process))
    finally:
        orders.close()
        answers.close()


def _connection(stream: IO[bytes] | None) -> Connection:
    assert stream is not None
    return Connection(os.dup(stream.fileno()))


def _stored(rows: Any) -> bytes:
    """A part's rows as an Arrow stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    stored: bytes = sink.getvalue().to_pybytes()
    return stored


def _told(kind: str, said: Any) -> Features | BaseException:
    """What a process answered."""
    if kind == "refused":
        what, where, fix = said
        return UserError(what, where=where, fix=fix)
    if kind == "failed":
        return RuntimeError(f"in a process that makes tokens of rows:\n{said}")
    assert isinstance(said, Features)
    return said


def _ended(process: subprocess.Popen[bytes]) -> UserError:
    code = process.wait()
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return UserError(
        f"a process that makes tokens of rows was ended ({how}), which most often is done where memory is short",
        fix="close other programs, or make tokens in one process: --set train.threads=1",
    )
