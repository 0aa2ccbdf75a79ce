"""The events of a run on their way into its file, which a full disk may keep them from for a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from supertune.console import Console
from supertune.contracts import Event
from supertune.errors import UserError


class EventLog:
    """Writes events as they come; what cannot be written waits for the next one, so that training goes on.

    Args:
        write: Writes one event.
        console: Where to say, once until it succeeds again, that it cannot be done.
    """

    def __init__(self, write: Callable[[Event], None], console: Console) -> None:
        self._write, self._console = write, console
        self._waiting: deque[Event] = deque()
        self._failed = False

    def __call__(self, event: Event) -> None:
        """Write an event, after those that wait."""
        self._waiting.append(event)
        try:
            self.flush()
        except (UserError, OSError) as error:
            if not self._failed:
                self._console.warn(f"training goes on, and its events wait to be written: {error}")
            self._failed = True

    def flush(self) -> None:
        """Write what waits.

        Raises:
            UserError: The disk is full, or the file is not writable.
            OSError: The disk fails.
        """
        while self._waiting:
            self._write(self._waiting[0])
            self._waiting.popleft()
        self._failed = False
