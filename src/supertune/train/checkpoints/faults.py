"""Sudden death at a named point, for tests: without the environment variable nothing happens."""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "SUPERTUNE_FAULT"
_passed: Counter[str] = Counter()


def fault(point: str) -> None:
    """Kill this process with signal 9 if ``SUPERTUNE_FAULT`` is ``<point>:<n>`` and this is the n-th time here."""
    named, _, number = os.environ.get(VARIABLE, "").rpartition(":")
    if named != point:
        return
    _passed[point] += 1
    if _passed[point] == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
