"""Answers that were written before: a file of SQLite, so that nothing is asked, or paid for, twice.

An answer is kept as soon as it is there, under the SHA-256 of all that decides it: who writes and how, what was asked,
and with which seed. Questions are not in the file; answers are, as they were written. Several processes may use one
file. Deleting it is safe.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from supertune.contracts import Answered, TextPrompt, TextWriter, WrittenText
from supertune.errors import UserError
from supertune.files import explained, sha256_bytes

_FORMAT = 1
_PATIENCE = 60.0
"""Seconds that another process may hold the file."""
_AT_ONCE = 500
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text TEXT, reason TEXT, prompt_tokens INTEGER NOT NULL, new_tokens INTEGER NOT NULL,
    writer TEXT NOT NULL, made REAL NOT NULL
) WITHOUT ROWID
"""


class AnswerCache:
    """Keeps what was answered; close it, or use it in a ``with`` block.

    Args:
        path: The file; made where there is none, readable by its owner alone.

    Raises:
        UserError: The file is none of these, is damaged, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with explained(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with explained(path), contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._lock = threading.Lock()
        with self._safely():
            self._base = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
        try:
            with self._safely():
                (version,) = self._base.execute("PRAGMA user_version").fetchone()
                if version not in (0, _FORMAT):
                    raise sqlite3.DatabaseError(f"version {version}")
                self._base.execute(_TABLE)
                self._base.execute(f"PRAGMA user_version = {_FORMAT}")
                self._base.execute("PRAGMA synchronous = FULL")
        except BaseException:
            self._base.close()
            raise

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def find(self, keys: Sequence[str]) -> dict[str, WrittenText]:
        """What is kept of these.

        Raises:
            UserError: The file cannot be read.
        """
        found: dict[str, WrittenText] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = list(keys[start : start + _AT_ONCE])
            marks = ",".join("?" * len(some))
            query = f"SELECT key, text, reason, prompt_tokens, new_tokens FROM answers WHERE key IN ({marks})"
            with self._safely():
                rows = self._base.execute(query, some).fetchall()
            found |= {row[0]: WrittenText(row[1], row[2], row[3], row[4], kept=True) for row in rows}
        return found

    def keep(self, key: str, written: WrittenText, writer: str) -> None:
        """Write an answer to the disk before this returns; what another process has written meanwhile stays.

        Raises:
            UserError: The disk is full, or the file cannot be written.
        """
        values = (key, written.text, written.reason, written.prompt_tokens, written.new_tokens, writer, time.time())
        with self._safely():
            self._base.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    @contextlib.contextmanager
    def _safely(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise UserError(
                f"the kept answers cannot be used ({error})",
                where=str(self.path),
                fix="free some space if the disk is full; name another file with --cache, or remove a damaged one",
            ) from error


class KeptWriter:
    """Asks a writer only for what was never asked before.

    Args:
        writer: Who is asked.
        cache: What was answered.
    """

    def __init__(self, writer: TextWriter, cache: AnswerCache) -> None:
        self._writer, self._cache = writer, cache

    @property
    def identity(self) -> Mapping[str, object]:
        """See `TextWriter`."""
        return self._writer.identity

    @property
    def local(self) -> bool:
        """See `TextWriter`."""
        return self._writer.local

    @property
    def instructed(self) -> bool:
        """See `TextWriter`."""
        return self._writer.instructed

    def write(self, prompts: Sequence[TextPrompt], answered: Answered | None = None) -> list[WrittenText]:
        """See `TextWriter`; equal prompts are asked once. Answers that would come again are kept, passing errors not.

        Raises:
            UserError: See the writer's, and the file's.
        """
        identity = _canonical(self._writer.identity)
        keys = [key_of(identity, prompt) for prompt in prompts]
        places: dict[str, list[int]] = defaultdict(list)
        for place, key in enumerate(keys):
            places[key].append(place)
        found = self._cache.find(list(places))
        if answered:
            for key, written in found.items():
                for place in places[key]:
                    answered(place, written)
        missing = [key for key in places if key not in found]

        def told(number: int, written: WrittenText) -> None:
            key = missing[number]
            if written.final:
                self._cache.keep(key, written, identity)
            if answered:
                for place in places[key]:
                    answered(place, written)

        made = self._writer.write([prompts[places[key][0]] for key in missing], told)
        found |= dict(zip(missing, made, strict=True))
        return [found[key] for key in keys]


def key_of(identity: str, prompt: TextPrompt) -> str:
    """The name under which an answer is kept."""
    asked = _canonical({"system": prompt.system, "user": prompt.user, "seed": prompt.seed, "step": prompt.step})
    return sha256_bytes(_canonical([identity, asked]).encode("utf-8", "surrogatepass"))


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
