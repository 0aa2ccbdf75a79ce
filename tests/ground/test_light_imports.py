"""`import supertune` and `supertune --help` stay light: a help text must not wait for torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "sklearn", "datasets", "scipy", "pandas", "pyarrow"}


def modules_after(code: str) -> set[str]:
    ending = (
        "\nimport sys, json\nsys.stderr.write('\\n' + json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code + ending], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def help_of(*arguments: str) -> str:
    return f"""
from supertune.cli import main
try:
    main({list(arguments)!r})
except SystemExit as end:
    assert not end.code, end.code
"""


@pytest.mark.parametrize(
    "code",
    [
        "import supertune",
        "import supertune.config, supertune.console, supertune.contracts, supertune.files, supertune.language",
        "import supertune.train, supertune.tasks, supertune.strategies",
        "import supertune.models, supertune.runs",
        help_of("--help"),
        help_of("train", "--help"),
        help_of("--version"),
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    loaded = modules_after(code)
    assert "supertune" in loaded
    assert not loaded & (HEAVY - {"pyarrow"}), loaded & HEAVY
    if "--help" in code or code == "import supertune":
        assert not loaded & HEAVY


def test_the_package_is_the_command_too() -> None:
    done = subprocess.run([sys.executable, "-m", "supertune", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("supertune ")
    wrong = subprocess.run([sys.executable, "-m", "supertune", "nosuch"], capture_output=True, text=True)
    assert wrong.returncode == 2
