"""Processor threads that wait for one another in the way that suits the machine's present load."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_CROWDED = 0.25
"""Share of the processor that others use from which spinning costs more than it saves."""

_GLANCE = 0.2
"""Seconds over which the load is measured."""


def considerate_threads() -> None:
    """On a busy machine let threads that wait sleep rather than spin; call it before torch is first imported.

    torch's OpenMP threads wait for one another thousands of times a second, and spin while they do. On a machine
    of their own that is right: sleeping made a step 1.5 times as long. Beside other work it is not, since the
    thread that is waited for cannot run while the other spins: on two cores shared with two other processes
    training came to a stand-still. A policy that the user has set is left alone.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ and used_by_others() >= _CROWDED:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def used_by_others() -> float:
    """Share of all processor time that other processes use, 0 to 1, over a fifth of a second; 0 where unknown."""
    before = _busy_and_total()
    time.sleep(_GLANCE)
    after = _busy_and_total()
    if before is None or after is None or after[1] == before[1]:
        return 0.0
    return (after[0] - before[0]) / (after[1] - before[1])


def _busy_and_total() -> tuple[int, int] | None:
    """Clock ticks of all cores since the machine started: not idle, and all."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()
    except OSError:
        return None
    ticks = [int(field) for field in first[1:9]]
    # The fourth and fifth are idle, and idle while waiting for a disk.
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
