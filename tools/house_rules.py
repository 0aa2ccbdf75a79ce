"""What no linter checks: short files, light imports, tasks not asked what they are, names of tests, no foreign places.

Run from the repository's root; prints each breach as ``file:line: what`` and exits with 1 if there is any.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MOST_LINES = 400
RECIPES = Path("src/supertune/recipes")
OF_ONE_KIND = frozenset(
    {
        "candidates.py",
        "cross_encoder.py",
        "embedder.py",
        "mixed.py",
        "negatives.py",
        "talk.py",
        "template.py",
        "vectors.py",
        "writing_choices.py",
    }
)
"""Recipes for one kind of task, which let others pass or refuse them; all other recipes are for every task."""
HEAVY = frozenset({"torch", "transformers", "sklearn", "datasets"})
# Put together from parts, so that this file does not break its own rule.
FOREIGN = re.compile(
    "|".join([r"(?<![\w.$}])/" + r"work/", r"\.\./" + "shared", r"(?<!\w)/" + r"root/", "/" + "tmp/bash_jobs"])
)
"""Paths that exist where this was written and nowhere else."""


def too_long(path: Path, text: str) -> Iterator[str]:
    """Files of more than 400 lines hold a second thing."""
    lines = len(text.splitlines())
    if lines > MOST_LINES:
        yield f"{path}:{MOST_LINES + 1}: {lines} lines; look for the second thing in it"


def heavy_imports(path: Path, text: str) -> Iterator[str]:
    """Imports at module level that would make ``import supertune`` and ``--help`` slow."""
    for node in _run_on_import(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        for name in names:
            if name.partition(".")[0] in HEAVY:
                yield f"{path}:{node.lineno}: imports {name} at module level; import it where it is used"


def _run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported: not in functions, not under TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for otherwise in child.orelse:
                yield otherwise
                yield from _run_on_import(otherwise)
            continue
        yield child
        yield from _run_on_import(child)


def asked_classes(path: Path, text: str) -> Iterator[str]:
    """Recipes for every task that ask one for its class: a new task could not answer. An assertion asks nothing."""
    if not path.is_relative_to(RECIPES) or path.name in OF_ONE_KIND:
        return
    tree = ast.parse(text)
    asserted = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Assert) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance" and id(node) not in asserted:
            named = (getattr(inner, "id", getattr(inner, "attr", "")) for inner in ast.walk(node.args[-1]))
            if found := sorted(name for name in named if name.endswith("Task")):
                yield f"{path}:{node.lineno}: asks whether a task is a {found[0]}; docs/decisions/0032 says what to ask"


def foreign_paths(path: Path, text: str) -> Iterator[str]:
    """Mentions of places outside the repository."""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := FOREIGN.search(line):
            yield f"{path}:{number}: mentions {found.group()!r}, which exists on no other machine"


def breaches(root: Path) -> Iterator[str]:
    """Every breach in the files that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    named: dict[str, Path] = {}
    for name in sorted(set(listed.stdout.decode().split("\0")) - {""}):
        file = root / name
        if not file.is_file() or file.is_symlink():
            continue
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        path = Path(name)
        yield from foreign_paths(path, text)
        if path.suffix == ".py" and path.parts[0] == "src":
            yield from too_long(path, text)
            yield from heavy_imports(path, text)
            yield from asked_classes(path, text)
        if path.suffix != ".py" or path.parts[0] != "tests" or path.name == "conftest.py":
            continue
        if (other := named.setdefault(path.name, path)) != path:
            yield f"{path}:1: called like {other}: pytest would run one of the two alone"


def main() -> int:
    """Print the breaches; 1 if there are any."""
    found = list(breaches(Path.cwd()))
    sys.stdout.writelines(f"{breach}\n" for breach in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
