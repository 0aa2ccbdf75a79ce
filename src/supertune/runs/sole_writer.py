"""One process at a time writes a run."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from supertune.errors import UserError
from supertune.files import explained


@contextlib.contextmanager
def sole_writer(run: Path) -> Iterator[bool]:
    """Hold a run directory while the block lasts, so that nobody else goes on with the same run.

    The system lets go when the process ends, however it ends, so that a killed run can be gone on with at once: from
    another container or machine as well, where process numbers mean nothing. The folder itself is locked; no file is
    left behind.

    Returns:
        False where the file system knows no locks: then nothing is held.

    Raises:
        UserError: Another process holds it.
    """
    with explained(run):
        descriptor = os.open(run, os.O_RDONLY)
    try:
        yield _lock(descriptor, run)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, run: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise still_running(run) from error
    except OSError:
        return False
    return True


def still_running(run: Path) -> UserError:
    """The error for a run that another process writes."""
    return UserError(
        "is still running", where=str(run), fix=f"wait for it, or see it with: supertune show {run} --watch"
    )
