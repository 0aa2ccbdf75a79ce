"""Ctrl-C while training: stop at the next step boundary, where everything can be saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interruption:
    """Remembers the first Ctrl-C, or the SIGTERM of a scheduler, while the block lasts; a second ends at once.

    Between steps everything is in a state that training can go on from, in the middle of one it is not. Signals that
    the program around has its own use for, and threads other than the main one, are left alone.

    Attributes:
        asked: Whether training is to stop.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
            self._before = {number: kept for number, kept in usual.items() if signal.getsignal(number) == kept}
            for number in self._before:
                signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Signals do what they did before."""
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, kept in self._before.items():
            signal.signal(number, kept)
        self._before = {}
