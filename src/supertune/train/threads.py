"""Processor threads that let others work."""

from __future__ import annotations

import os
import sys


def considerate_threads() -> None:
    """Let threads that wait for one another sleep rather than spin; call it before torch is first imported.

    torch's OpenMP threads spin at every barrier, thousands of times a second. While anything else runs on the
    machine, the one that is waited for cannot run because the other spins: on two cores shared with two other
    processes, training came to a stand-still where sleeping threads took 0.7 seconds a step. A value that the
    user has set is left alone.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
