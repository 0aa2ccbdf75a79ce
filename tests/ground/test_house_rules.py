"""The script behind `make lint` finds what it is there to find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "house_rules.py"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "src").mkdir()
    return tmp_path


def check(folder: Path) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, str(SCRIPT)], cwd=folder, capture_output=True, text=True)
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


def test_a_file_of_400_lines_passes_and_one_more_does_not(repository: Path) -> None:
    (repository / "src" / "fits.py").write_text("x = 1\n" * 400)
    assert check(repository) == (0, [])
    (repository / "src" / "long.py").write_text("x = 1\n" * 401)
    code, (told,) = check(repository)
    assert code == 1
    assert told.startswith("src/long.py:401: 401 lines")


@pytest.mark.parametrize(
    "text",
    [
        "import torch\n",
        "import torch.nn as nn\n",
        "from transformers.utils import logging\n",
        "import os, sklearn\n",
        "try:\n    import datasets\nexcept ImportError:\n    pass\n",
        "class A:\n    import torch\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import os\nelse:\n    import torch\n",
    ],
)
def test_heavy_imports_at_module_level(repository: Path, text: str) -> None:
    (repository / "src" / "heavy.py").write_text(text)
    code, told = check(repository)
    assert code == 1
    assert "at module level" in told[0]


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    import torch\n",
        "import torchlike\nfrom . import datasets\nfrom .torch import x\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n    from transformers import Trainer\n",
    ],
)
def test_imports_that_are_fine(repository: Path, text: str) -> None:
    (repository / "src" / "light.py").write_text(text)
    assert check(repository) == (0, [])


def test_no_two_tests_have_the_same_name(repository: Path) -> None:
    for folder in ("one", "other"):
        (repository / "tests" / folder).mkdir(parents=True)
        (repository / "tests" / folder / "test_same.py").write_text("")
    code, (told,) = check(repository)
    assert code == 1
    assert told.startswith("tests/other/test_same.py:1: called like tests/one/test_same.py")


def test_recipes_for_every_task_ask_none_for_its_class(repository: Path) -> None:
    recipes = repository / "src" / "supertune" / "recipes" / "kinds"
    recipes.mkdir(parents=True)
    asked = "def f(task):\n    return isinstance(task, {}) or 1\n"
    (recipes / "a.py").write_text(asked.format("RetrievalTask"))
    (recipes / "b.py").write_text(asked.format("(str, tasks.ChatTask | RerankTask)"))
    (recipes / "fine.py").write_text(
        asked.format("Tasks") + "\n\ndef g(task):\n    assert isinstance(task, ChatTask)\n"
    )
    (recipes.parent / "talk.py").write_text(asked.format("ChatTask"))
    (repository / "src" / "other.py").write_text(asked.format("ChatTask"))
    code, told = check(repository)
    assert code == 1
    assert [line.partition(": ")[0] for line in told] == [
        "src/supertune/recipes/kinds/a.py:2",
        "src/supertune/recipes/kinds/b.py:2",
    ]


def test_places_of_one_machine(repository: Path) -> None:
    (repository / "notes.md").write_text("fine\nsee " + "/wo" + "rk/x and https://example.org/wo" + "rk/x\n")
    (repository / "picture.png").write_bytes(b"\x89PNG\xff /wo" + b"rk/x")
    (repository / "Makefile").write_text("all:\n\tcp .." + "/shared/x .\n")
    code, told = check(repository)
    assert code == 1
    assert [line.partition(": ")[0] for line in told] == ["Makefile:2", "notes.md:2"]


def test_what_git_ignores_is_not_looked_at(repository: Path) -> None:
    (repository / ".gitignore").write_text("runs/\n")
    (repository / "runs").mkdir()
    (repository / "runs" / "log.txt").write_text("/wo" + "rk/x")
    assert check(repository) == (0, [])
