"""manifest.json: what a run is, how it ended, and what every one of its files must look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from supertune.errors import UserError
from supertune.files import explained, read_json, sha256_file
from supertune.runs.events import now
from supertune.runs.machine import hardware, this_process, versions
from supertune.runs.values import json_value

FORMAT = 1
"""Version of the run directory; a reader refuses what a newer supertune wrote."""

MANIFEST, CHECKPOINTS = "manifest.json", "checkpoints"

Status = Literal["running", "done", "interrupted", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "status": str,
    "task": str,
    "command": list,
    "created": str,
    "started": str,
    "model": (str, type(None)),
    "primary": (dict, type(None)),
    "seconds": (int, float, type(None)),
    "files": dict,
}


def new_manifest(task: str, command: Sequence[str]) -> dict[str, Any]:
    """The manifest of a run that has just begun; what is not known yet is null or empty."""
    begun = now()
    return {
        "format": FORMAT,
        "status": "running",
        "task": task,
        "model": None,
        "primary": None,
        "command": json_value(command),
        "created": begun,
        "started": begun,
        "finished": None,
        "seconds": None,
        "process": this_process(),
        "versions": versions(),
        "hardware": hardware(),
        "seeds": {},
        "data": {},
        "examples_seen": 0,
        "reload_check": None,
        "timings": {},
        "files": {},
    }


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest of the run in ``run``, its shape checked.

    Raises:
        UserError: It is missing, damaged, or written by a newer supertune.
    """
    path = run / MANIFEST
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise UserError("is not the manifest of a run", where=str(path), fix="restore the file")
    if content["format"] > FORMAT:
        raise UserError(
            f"was written by a newer supertune (format {content['format']}, this one reads up to {FORMAT})",
            where=str(path),
            fix="pip install --upgrade supertune",
        )
    for key, kinds in _TYPES.items():
        if key not in content or not isinstance(content[key], kinds):
            raise UserError(f"{key!r} is missing or damaged", where=str(path), fix="restore the file")
    if any(not isinstance(entry, dict) or {"sha256", "bytes"} - entry.keys() for entry in content["files"].values()):
        raise UserError("'files' is damaged", where=str(path), fix="restore the file")
    if content["status"] not in STATUSES:
        raise UserError(f"unknown status {content['status']!r}", where=str(path), fix=f"one of {', '.join(STATUSES)}")
    return content


def inventory(run: Path) -> dict[str, dict[str, str | int]]:
    """Relative path → SHA-256 and size of every file of the run.

    Without the manifest, half-written leftovers, and checkpoints, which verify themselves and go when all is done.
    """
    with explained(run):
        return {
            path.relative_to(run).as_posix(): {"sha256": sha256_file(path), "bytes": path.stat().st_size}
            for path in sorted(run.rglob("*"))
            if path.is_file() and path != run / MANIFEST and _belongs(path.relative_to(run))
        }


def _belongs(path: Path) -> bool:
    partial = any(part.startswith(".") and part.endswith((".partial", ".old")) for part in path.parts)
    return not partial and path.parts[0] != CHECKPOINTS


def problems(run: Path, files: Mapping[str, Any]) -> list[str]:
    """One sentence for every recorded file that is missing, cut short, or not what it was."""
    found = []
    for name, recorded in files.items():
        path = run / name
        if not path.is_file():
            found.append(f"{name}: is missing")
        elif (size := path.stat().st_size) != recorded["bytes"]:
            verb = "was cut short" if size < recorded["bytes"] else "has grown"
            found.append(f"{name}: {verb}: {size:,} bytes, the manifest says {recorded['bytes']:,}")
        elif sha256_file(path) != recorded["sha256"]:
            found.append(f"{name}: its content was changed (SHA-256 differs from the manifest)")
    return found
