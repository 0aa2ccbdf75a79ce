"""What a teacher said of pairs of texts before: files in the cache folder.

A file ``scores/<key>.f32`` holds the SHA-256 of what follows, then one 32-bit number per pair, the least byte first.
The key covers the pairs, the teacher and how it reads them, so that the same pairs find their scores again whatever run
asks. No text can be read off scores. Vectors of texts are kept in the same way, in a folder of their own; who has them
can tell much of what the texts say. Deleting the folder, or any file in it, is safe at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from supertune.errors import UserError
from supertune.files import atomic_file, cache_folder

SCORE_CACHE_BYTES = 256 * 1024**2
"""The files together are kept below this: those of 64 million pairs."""

_KIND = np.dtype("<f4")
_DIGEST = hashlib.sha256().digest_size


class ScoreCache:
    """Keeps scores from one run to the next, and does without where that is not possible.

    Args:
        warn: Told, in a sentence, that a file was damaged, and once that nothing can be kept.
        kind: What the numbers are; the name of their folder.
        most: Bytes that the files of this kind may have together.
        now: What is done where nothing can be read, for messages.
        later: What the next run does where nothing can be written.
    """

    def __init__(
        self,
        warn: Callable[[str], None],
        *,
        kind: str = "scores",
        most: int | None = None,
        now: str = "the teacher is asked again",
        later: str = "the next run asks the teacher again",
    ) -> None:
        self._warn = warn
        self._writable = True
        self._kind, self._most, self._now, self._later = kind, most, now, later

    def find(self, key: str, count: int) -> NDArray[np.float32] | None:
        """Float32 (count,): what is kept under this key; None if there is nothing, or something damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._warn(f"{path} cannot be used ({os.strerror(error.errno or 0).lower()}): {self._now}")
            return None
        digest, values = content[:_DIGEST], content[_DIGEST:]
        if len(values) != count * _KIND.itemsize or hashlib.sha256(values).digest() != digest:
            self._warn(f"{path} cannot be used (it is damaged): {self._now}")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return np.frombuffer(values, _KIND).astype(np.float32)

    def keep(self, key: str, scores: NDArray[np.float32]) -> None:
        """Write the scores of this key; nothing where that is not possible, now or at an earlier call."""
        if not self._writable:
            return
        path, values = self._path(key), scores.astype(_KIND).tobytes()
        try:
            with atomic_file(path, binary=True) as stream:
                stream.write(hashlib.sha256(values).digest() + values)
        except (OSError, UserError) as error:
            self._writable = False
            reason = error.what if isinstance(error, UserError) else str(error)
            self._warn(f"{self._kind} cannot be kept in {path.parent} ({reason}): {self._later}")

    def tidy(self) -> None:
        """Remove the files used longest ago until the rest fit."""
        entries = []
        with contextlib.suppress(OSError):
            for file in (cache_folder() / self._kind).glob("*.f32"):
                with contextlib.suppress(OSError):  # another process may have removed it
                    status = file.stat()
                    entries.append((status.st_mtime_ns, status.st_size, file))
        used = sum(size for _, size, _ in entries)
        for _, size, file in sorted(entries):
            if used > (SCORE_CACHE_BYTES if self._most is None else self._most):
                with contextlib.suppress(OSError):
                    file.unlink()
                    used -= size

    def _path(self, key: str) -> Path:
        return cache_folder() / self._kind / f"{key}.f32"
