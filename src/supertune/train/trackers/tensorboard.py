"""TensorBoard: event files in the run directory, to be read with ``tensorboard --logdir RUN``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from supertune.train.trackers.tracker import TrackedRun, TrackerError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_FLUSH_SECONDS = 10


class TensorBoard:
    """Tracker: event files in ``RUN/tensorboard``, one folder below for each seed.

    A resumed training begins a new file there that takes back what the old ones have of later steps; one that begins
    from nothing takes back everything.
    """

    def __init__(self, run: TrackedRun) -> None:
        self._run = run
        self._writer: SummaryWriter | None = None

    def begin(self, part: str, resumed: int | None) -> None:
        """Open an event file; see `Tracker.begin`."""
        from torch.utils.tensorboard import SummaryWriter

        self.end("done")
        with _explained():
            self._writer = SummaryWriter(
                str(self._run.folder / "tensorboard" / part),
                purge_step=0 if resumed is None else resumed + 1,
                flush_secs=_FLUSH_SECONDS,
            )
            if resumed is None:
                # Markdown takes lines that are indented by four as they are.
                config = json.dumps(self._run.config, ensure_ascii=False, indent=2, default=str)
                self._writer.add_text("config", "".join(f"    {line}\n" for line in config.splitlines()))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write scalars; see `Tracker.log`."""
        if self._writer is None:
            return
        with _explained():
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write what waits to the file."""
        if self._writer is not None:
            with _explained():
                self._writer.flush()

    def end(self, status: str) -> None:
        """Close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with _explained():
                writer.close()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrackerError(f"its event file could not be written: {error}") from error
