"""The files that hold a model's weights: which they are, whether they are whole, and their digest."""

from __future__ import annotations

import contextlib
import errno
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from supertune.errors import UserError
from supertune.files import explained, sha256_bytes, sha256_file

SAFETENSORS = "model.safetensors"
PICKLE = "pytorch_model.bin"
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

_LFS_POINTER = b"version https://git-lfs"
_digests: dict[tuple[str, int, int], str] = {}


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file, remembered in this process for as long as its size and time stay the same."""
    state = path.stat()
    key = (str(path.resolve()), state.st_size, state.st_mtime_ns)
    if key not in _digests:
        _digests[key] = sha256_file(path)
    return _digests[key]


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that came with a model, which must hold an object.

    Raises:
        UserError: The file cannot be read, or holds something else.
    """
    with explained(path):
        content = path.read_bytes()
    try:
        found = json.loads(content)
    except ValueError as error:
        raise UserError(f"is not valid JSON ({error})", where=str(path), fix="get the file again") from error
    if not isinstance(found, dict):
        raise UserError("does not hold a JSON object", where=str(path), fix="get the file again")
    return found


def weight_files(folder: Path, name: str = SAFETENSORS) -> tuple[Path, ...]:
    """The files transformers would read the weights from: one, the shards of an index, or none.

    Args:
        folder: A model folder.
        name: `SAFETENSORS`, or `PICKLE` where the user allowed it.

    Raises:
        UserError: The index names a shard that is missing or outside the folder.
    """
    whole, index = folder / name, folder / f"{name}.index.json"
    if whole.is_file():
        return (whole,)
    if not index.is_file():
        return ()
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise UserError("has no 'weight_map'", where=str(index), fix="get the file again")
    shards = []
    for shard in sorted({str(place) for place in places.values()}):
        if Path(shard).name != shard:
            raise UserError(f"points outside its folder: {shard!r}", where=str(index), fix="use a model you can trust")
        if not (folder / shard).is_file():
            raise UserError(f"the shard {shard!r} is missing", where=str(folder), fix=f"add the file {shard}")
        shards.append(folder / shard)
    return tuple(shards)


def check_safetensors(path: Path) -> None:
    """Check that a safetensors file has a valid header and is as long as the header says.

    Raises:
        UserError: It is damaged, cut off, or stands for a file that was never fetched.
    """
    import safetensors

    with explained(path), path.open("rb") as stream:
        start = stream.read(len(_LFS_POINTER))
    if start == _LFS_POINTER:
        raise UserError(
            "is a Git LFS pointer, not the weights themselves",
            where=str(path),
            fix="run 'git lfs pull' in the model's folder",
        )
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            empty = not list(opened.keys())
    except safetensors.SafetensorError as error:
        raise UserError(
            f"is damaged or cut off ({error})", where=str(path), fix="copy or download the file again"
        ) from error
    if empty:
        raise UserError("holds no weights", where=str(path), fix="copy or download the file again")


@contextlib.contextmanager
def explained_saving(path: Path) -> Iterator[None]:
    """Turn what safetensors says about a full disk into what the operating system said.

    Raises:
        OSError: With the number that callers understand; the library wraps it in words.
    """
    import safetensors

    try:
        yield
    except safetensors.SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error), str(path)) from error


def count_parameters(folder: Path) -> int | None:
    """Number of weights in a model folder, from the headers of its files; None where only pickled ones are."""
    import math

    import safetensors

    total = 0
    for file in weight_files(folder):
        with safetensors.safe_open(file, framework="numpy") as opened:
            total += sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    return total or None


def weights_digest(folder: Path) -> str:
    """Hex SHA-256 of a model folder's weights.

    For one file, that of the file, as ``sha256sum`` prints it. For shards, that of the lines
    ``<sha256>  <name>`` in the order of their names, as ``sha256sum *.safetensors | sha256sum`` prints it.

    Raises:
        UserError: The folder holds no weights.
    """
    files = weight_files(folder) or weight_files(folder, PICKLE)
    if not files:
        raise UserError(f"holds no {SAFETENSORS}", where=str(folder), fix="name a folder with a model")
    with explained(folder):
        if len(files) == 1 and files[0].name in (SAFETENSORS, PICKLE):
            return file_digest(files[0])
        lines = [f"{file_digest(file)}  {file.name}\n" for file in files]
    return sha256_bytes("".join(lines).encode())
