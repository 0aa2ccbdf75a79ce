"""docs/configuration.md says what the configuration models say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from supertune.config import known_keys

ROOT = Path(__file__).parents[2]


def test_the_reference_is_up_to_date():
    command = [sys.executable, str(ROOT / "tools" / "reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_key_has_its_line_in_the_reference():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for key in known_keys():
        assert page.count(f"| `{key}` |") == 1, key
