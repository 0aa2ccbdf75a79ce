"""Where a run might be when it is not where the user said."""

from __future__ import annotations

import difflib
from pathlib import Path

from supertune.errors import UserError
from supertune.runs.manifest import MANIFEST

_SHOWN = 3
_LEVELS = 3


def runs_in(folder: Path) -> list[Path]:
    """The run folders directly inside ``folder``, newest manifest first."""
    found = [path.parent for path in folder.glob(f"*/{MANIFEST}") if path.is_file()]
    return sorted(found, key=lambda path: ((path / MANIFEST).stat().st_mtime, path.name), reverse=True)


def missing_run(path: Path) -> UserError:
    """The error for a path that is not a run, with the most likely meant one as its fix."""
    if not path.exists():
        return UserError("there is no such run", where=str(path), fix=_similar(path))
    what = "is not a run: it has no manifest.json" if path.is_dir() else "is a file, not a run folder"
    # As typed first, so that the suggestion reads like what the user wrote.
    for ancestor in [*list(path.parents)[:_LEVELS], *list(path.resolve().parents)[:_LEVELS]]:
        if (ancestor / MANIFEST).is_file():
            return UserError("lies inside a run", where=str(path), fix=f"did you mean {ancestor}?")
    return UserError(what, where=str(path), fix=_contained(path))


def _contained(path: Path) -> str:
    found = runs_in(path) if path.is_dir() else []
    if not found:
        return "give the folder that supertune train wrote; supertune runs lists them"
    names = ", ".join(str(run) for run in found[:_SHOWN])
    more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
    return f"it holds runs: give one of {names}{more}"


def _similar(path: Path) -> str:
    parent = path.parent
    names = [run.name for run in runs_in(parent)] if parent.is_dir() else []
    if close := difflib.get_close_matches(path.name, names, 1, 0.5):
        return f"did you mean {parent / close[0]}?"
    return "check the path; supertune runs lists the runs there are"
