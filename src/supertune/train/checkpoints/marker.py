"""The marker that is written into a checkpoint last: what the other files must be for it to be whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from supertune.errors import UserError
from supertune.files import sha256_bytes

TENSORS, STATE, MARKER = "tensors.safetensors", "state.json", "complete.json"
FORMAT = 1
_LARGEST_MARKER = 100_000
_FIX = "use another checkpoint, or start again"


class NewerFormatError(UserError):
    """The checkpoint was written by a newer supertune: it may be whole, so no older one is used in its place."""

    def __init__(self, found: int, path: Path) -> None:
        super().__init__(
            f"was written by a newer supertune (format {found}, this one reads up to {FORMAT})",
            where=str(path),
            fix="pip install --upgrade supertune",
        )


@dataclass(frozen=True)
class Marker:
    """What a checkpoint consists of.

    Attributes:
        step: Optimizer steps taken when it was saved.
        files: File name → (size in bytes, hex SHA-256).
    """

    step: int
    files: Mapping[str, tuple[int, str]]

    def text(self) -> bytes:
        """Content of the marker's file; it ends with a fingerprint of its own."""
        content = {
            "format": FORMAT,
            "step": self.step,
            "files": {name: {"bytes": size, "sha256": digest} for name, (size, digest) in self.files.items()},
        }
        return json.dumps({**content, "sha256": _fingerprint(content)}, indent=2).encode() + b"\n"


def _fingerprint(content: Mapping[str, Any]) -> str:
    return sha256_bytes(json.dumps(content, sort_keys=True).encode())


def read_marker(checkpoint: Path) -> Marker:
    """Read the marker of a checkpoint folder.

    Raises:
        UserError: It is missing, damaged, or of a newer format (`NewerFormatError`).
    """
    path = checkpoint / MARKER
    if file_size(path) > _LARGEST_MARKER:
        raise damaged(path, "is far too large")
    content = read_object(path)
    given = content.pop("sha256", None)
    if given != _fingerprint(content):
        raise damaged(path, "was changed or cut short: it does not match its own fingerprint")
    version, step = content.get("format"), content.get("step")
    if isinstance(version, int) and version > FORMAT:
        raise NewerFormatError(version, path)
    try:
        files = {name: (content["files"][name]["bytes"], content["files"][name]["sha256"]) for name in (TENSORS, STATE)}
    except (KeyError, TypeError) as error:
        raise damaged(path, "does not name the files of a checkpoint") from error
    sizes = [size for size, _ in files.values()]
    if version != FORMAT or not isinstance(step, int) or not all(isinstance(size, int) for size in sizes):
        raise damaged(path, "is not the marker of a checkpoint")
    return Marker(step, files)


def check_sizes(checkpoint: Path, marker: Marker) -> None:
    """See that every file is there and as large as it was.

    Raises:
        UserError: The first that is not.
    """
    for name, (size, _) in marker.files.items():
        found = file_size(checkpoint / name)
        if found != size:
            verb = "was cut short" if found < size else "has grown"
            raise damaged(checkpoint / name, f"{verb}: {found:,} bytes instead of {size:,}")


def check_contents(checkpoint: Path, marker: Marker) -> None:
    """See that every file is what was written, bit by bit.

    Raises:
        UserError: The first that is not.
    """
    check_sizes(checkpoint, marker)
    for name, (_, digest) in marker.files.items():
        path = checkpoint / name
        with readable(path), path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != digest:
            raise damaged(path, "was changed: its SHA-256 is not the one that was recorded")


def file_size(path: Path) -> int:
    """Size in bytes of what can be read without waiting for anybody.

    Raises:
        UserError: It is missing, or a folder, a pipe or a device.
    """
    with readable(path):
        found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise damaged(path, "is not a file")
    return found.st_size


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object of finite numbers.

    Raises:
        UserError: It does not, or cannot be read.
    """
    with readable(path):
        text = path.read_bytes()
    try:
        value = json.loads(text, parse_constant=_not_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise damaged(path, "does not hold a JSON object")
    return value


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def damaged(path: Path, what: str) -> UserError:
    """The error for a file that is not as it should be."""
    return UserError(what, where=str(path), fix=_FIX)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever keeps ``path`` from being read, a failing disk included, into a `UserError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise damaged(path, "is missing") from error
    except OSError as error:
        raise damaged(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from error
