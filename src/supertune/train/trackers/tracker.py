"""What a tracker is, and what it is told about the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class TrackedRun:
    """A run, for people who look at it elsewhere.

    Attributes:
        folder: The run directory; its name is the run's.
        config: The whole configuration, ``section.name`` → value.
        tags: What else to note down, e.g. the version.
    """

    folder: Path
    config: Mapping[str, object]
    tags: Mapping[str, str]


class Tracker(Protocol):
    """A place where curves go. Its calls fail with `TrackerError`, and with nothing else."""

    def begin(self, part: str, resumed: int | None) -> None:
        """Take what follows as the curves of ``part``.

        Args:
            part: ``seed-3`` where the training names its seed, else empty.
            resumed: The step from which an interrupted training goes on; later values are overtaken. None: a new one.
        """
        ...

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Note values measured at a step; they may be kept back for some seconds."""
        ...

    def flush(self) -> None:
        """Send what was kept back."""
        ...

    def end(self, status: str) -> None:
        """Say how the run ended: ``done``, ``interrupted`` or ``failed``; nothing follows."""
        ...


class TrackerError(Exception):
    """A tracker could not be reached or written to."""
