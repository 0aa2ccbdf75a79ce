"""Pages are taken apart in a process of their own, which may be ended: no page can hang or fill this one."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import IO, Any

from supertune.data.crawl.extract import Extracted, extract
from supertune.data.crawl.problems import Problem
from supertune.errors import MissingExtraError

_LENGTH = struct.Struct(">Q")
_MEMORY = 1024**3
"""Bytes that a page may take besides what the process takes itself."""
_PAGES = 1000
"""Pages after which a new process takes over: parsers of other people's making keep things."""
_STARTING = 60.0
"""Seconds that it may take to begin."""


class GuardedExtraction:
    """`extract` in another process, with bounds on time and memory. Several threads may call it; they wait in turn.

    Args:
        seconds: For one page.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._done = 0

    def __enter__(self) -> GuardedExtraction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Whoever waits for a page, or for the process to begin, is not waited for.
        if (process := self._process) is not None:
            process.kill()
        with self._turn:
            self._end()

    def __call__(self, body: bytes, headers: dict[str, str], url: str, most_links: int) -> Extracted:
        """See `extract`.

        Raises:
            Problem: As there, and ``extraction`` when a page takes too long or too much memory.
        """
        with self._turn:
            process = self._started()
            order = json.dumps({"headers": headers, "url": url, "most_links": most_links}).encode()
            try:
                assert process.stdin
                assert process.stdout
                _write(process.stdin, order, body)
                answer = json.loads(_read(process.stdout, time.monotonic() + self._seconds))
            except TimeoutError as error:
                self._end()
                raise Problem("extraction", f"finding its text took longer than {self._seconds:g} s") from error
            except (EOFError, OSError) as error:
                code = self._end()
                raise Problem("extraction", f"finding its text ended with code {code}") from error
            except BaseException:
                self._end()
                raise
            self._done += 1
        if "problem" in answer:
            reason, detail, temporary = answer["problem"]
            raise Problem(reason, detail, temporary=temporary)
        return Extracted.from_dict(answer)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and (self._process.poll() is not None or self._done >= _PAGES):
            self._end()
        if self._process is None:
            # A command of its own rather than a fork or a spawn: those need guards in the user's script.
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from {__name__} import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C is for the crawler, which ends this one when it is done.
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
            self._done = 0
            assert self._process.stdout
            try:
                _read(self._process.stdout, time.monotonic() + _STARTING)
            except (TimeoutError, EOFError) as error:
                code = self._end()
                raise Problem("extraction", f"the process for it did not begin (code {code})") from error
        return self._process

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        ended = process.poll()
        if ended is None:
            process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    continue
        return code if ended is None else ended


def serve() -> None:
    """Take pages apart, one after the other, until there are no more."""
    given, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a library prints must not get between the answers.
    os.dup2(2, 1)
    _import_everything()
    _bound_memory()
    _write(told, b"ready")
    while True:
        try:
            order, body = json.loads(_read(given)), _read(given)
        except EOFError:
            return
        _write(told, json.dumps(_answer(body, order)).encode())


def _answer(body: bytes, order: dict[str, Any]) -> dict[str, Any]:
    try:
        return extract(body, order["headers"], order["url"], order["most_links"]).as_dict()
    except Problem as problem:
        return {"problem": [problem.reason, problem.detail, problem.temporary]}
    except MemoryError:
        return {"problem": ["extraction", "finding its text took too much memory", False]}
    except Exception as error:  # noqa: BLE001 - a page that a library stumbles over is left out, and the reason told
        return {"problem": ["extraction", f"{type(error).__name__}: {error}"[:300], False]}


def _import_everything() -> None:
    """What the first page would otherwise pay for."""
    import logging

    import lxml.html
    import py3langid
    import trafilatura

    logging.disable(logging.CRITICAL)
    py3langid.classify("a first text")
    trafilatura.bare_extraction(lxml.html.tostring(lxml.html.fragment_fromstring("<p>a first text</p>")).decode())


def _bound_memory() -> None:
    """Bound what comes on top of what is taken now; only Linux counts in a way that helps."""
    try:
        import resource

        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            now = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
        resource.setrlimit(resource.RLIMIT_DATA, (now + _MEMORY, now + _MEMORY))
    except (ImportError, OSError, StopIteration, ValueError):
        return


def check_installed() -> None:
    """Whether what the extra ``web`` brings is here.

    Raises:
        MissingExtraError: Something is not.
    """
    from importlib.util import find_spec

    for package in ("trafilatura", "lxml", "lxml_html_clean", "protego"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "web", purpose="crawling")


def _write(stream: IO[bytes], *messages: bytes) -> None:
    for message in messages:
        stream.write(_LENGTH.pack(len(message)))
        stream.write(message)
    stream.flush()


def _read(stream: IO[bytes], until: float | None = None) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size, until))
    return _exactly(stream, length, until)


def _exactly(stream: IO[bytes], count: int, until: float | None) -> bytes:
    """So many bytes.

    Raises:
        EOFError: There are fewer.
        TimeoutError: They do not come in time.
    """
    if until is None:
        found = stream.read(count)
        if len(found) < count:
            raise EOFError
        return found
    parts, left = [], count
    while left:
        waiting = max(0.0, until - time.monotonic())
        if not select.select([stream], [], [], waiting)[0]:
            raise TimeoutError
        # Past the stream's own buffer, which select knows nothing of.
        part = os.read(stream.fileno(), left)
        if not part:
            raise EOFError
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
