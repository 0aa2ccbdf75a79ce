"""How waiting threads behave is decided by the machine's load, before torch is there, and never against the user."""

from __future__ import annotations

import os
import subprocess
import sys

from supertune.train.threads import used_by_others

BUSY = "while True: pass"
ASK = """
import os
from supertune.train import considerate_threads

considerate_threads()
print(os.environ.get("OMP_WAIT_POLICY"))
"""


def answer(**given: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | given
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_share_others_use_is_a_share() -> None:
    assert 0.0 <= used_by_others() <= 1.0


def test_threads_sleep_beside_other_work() -> None:
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 1)]
    try:
        assert used_by_others() > 0.5
        assert answer() == "PASSIVE"
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_what_the_user_has_set_stays() -> None:
    assert answer(OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"
