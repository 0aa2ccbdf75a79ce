"""A process that makes tokens of parts of the rows for another one; see `supertune.recipes.token_processes`.

It is started as ``python -c``, so that it runs nothing of the program that wants the tokens: a fork of a process with
threads may stop for ever, and what multiprocessing starts runs the user's script once more. It is told what to do on
standard input, and answers on standard output; whatever else is printed goes to standard error. Nobody else writes to
these pipes, so what comes out of them may be unpickled.
"""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supertune.contracts import Apart


def main() -> None:
    """Answer until there is nothing more to do, or nobody to do it for."""
    # Ctrl-C goes to all processes of a terminal. The one that started this one says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders, answers = Connection(os.dup(0), writable=False), Connection(os.dup(1), readable=False)
    os.dup2(2, 1)
    try:
        work: Apart = pickle.loads(orders.recv_bytes())
        while True:
            answers.send(_answer(work, orders.recv()))
    except (EOFError, BrokenPipeError):
        return


def _answer(work: Apart, part: tuple[bytes, Any, str]) -> tuple[str, Any]:
    """("done", features), ("refused", what of a `UserError`), or ("failed", a traceback)."""
    from supertune.data import Table
    from supertune.errors import UserError
    from supertune.tasks import joined

    stored, row_ids, source = part
    try:
        import pyarrow as pa

        rows = Table.from_arrow(pa.ipc.open_stream(stored).read_all(), source=source, row_ids=row_ids)
        return "done", replace(joined(work(rows)), table=None)
    except UserError as error:
        return "refused", (error.what, error.where, error.fix)
    except Exception:  # noqa: BLE001 - it is a bug, and told where somebody reads it
        return "failed", traceback.format_exc()
