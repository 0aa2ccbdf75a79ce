"""Checkpoints written in the background: training waits for a copy in memory, not for the disk."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from supertune.errors import UserError
from supertune.files import remove_leftovers
from supertune.train.checkpoints.folder import keep_last, write_snapshot
from supertune.train.checkpoints.snapshot import HostMemory, Snapshot
from supertune.train.checkpoints.state import TrainingState


@dataclass(frozen=True)
class Written:
    """A checkpoint is whole on the disk.

    Attributes:
        step: Its step.
        path: Its folder.
        seconds: Time that writing took in the background.
    """

    step: int
    path: Path
    seconds: float


@dataclass(frozen=True)
class NotWritten:
    """A checkpoint could not be written, or an old one not removed; what was whole before still is.

    Attributes:
        step: The step that was to be saved.
        error: Why, where and what to do.
    """

    step: int
    error: UserError


Outcome = Written | NotWritten


class CheckpointWriter:
    """Writes checkpoints of one run in a thread of its own, one at a time, and keeps the newest.

    What came of a save is told by `poll` and `close`, so that a full disk does not end training. Leaving the block,
    or ending the process in an orderly way, waits for what is being written.

    Args:
        folder: Where checkpoints go; what a killed process left half-written there is removed.
        keep: How many to keep, the newest. There is room for one more while it is being written.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        if keep < 1:
            raise ValueError(f"{keep} checkpoints cannot be kept")
        self._folder = folder
        self._keep = keep
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._memory: HostMemory | None = HostMemory()
        self._pending: Future[tuple[list[Outcome], HostMemory]] | None = None
        self._outcomes: list[Outcome] = []
        remove_leftovers(folder)

    def save(self, step: int, state: TrainingState, *, wait: bool = False) -> bool:
        """Copy ``state`` and begin to write it; returns False, and does nothing, if the last is still being written.

        Args:
            step: Optimizer steps taken.
            state: May change as soon as this returns.
            wait: Wait for the last to be written instead; for a save that must not be left out.

        Raises:
            TypeError: The state holds what cannot be saved.
            ValueError: The same.
        """
        if self._pending is not None and not (wait or self._pending.done()):
            return False
        self._collect()
        # While it is written the memory belongs to the thread; an interrupt between here and the assignment below
        # may lose it, but never has two snapshots in one place.
        memory, self._memory = self._memory or HostMemory(), None
        snapshot = memory.snapshot(state)
        self._pending = self._executor.submit(self._write, step, snapshot, memory)
        return True

    def poll(self) -> list[Outcome]:
        """What has come of earlier saves and was not told yet; does not wait."""
        if self._pending is not None and self._pending.done():
            self._collect()
        told, self._outcomes = self._outcomes, []
        return told

    def close(self) -> list[Outcome]:
        """Wait until everything is written; returns what `poll` would. Nothing can be saved afterwards."""
        self._executor.shutdown()
        return self.poll()

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait until everything is written; `poll` tells what came of it."""
        self._executor.shutdown()

    def _collect(self) -> None:
        if self._pending is not None:
            outcomes, self._memory = self._pending.result()
            self._pending = None
            self._outcomes += outcomes

    def _write(self, step: int, snapshot: Snapshot, memory: HostMemory) -> tuple[list[Outcome], HostMemory]:
        begun = time.monotonic()
        outcomes: list[Outcome] = []
        try:
            path = write_snapshot(self._folder, step, snapshot)
            outcomes.append(Written(step, path, time.monotonic() - begun))
            keep_last(self._folder, self._keep, sure=path)
        except UserError as error:
            outcomes.append(NotWritten(step, error))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            failure = UserError(f"cannot be used: {reason}", where=str(self._folder), fix="check the disk")
            outcomes.append(NotWritten(step, failure))
        return outcomes, memory
