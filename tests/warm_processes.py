"""The command line in processes that begin with the heavy imports done: forked from one that did them.

A process of ``supertune train`` imports for seconds and then works for two, and tests and the soak benchmark start
hundreds. Each is a process of its own all the same, with its own number, that may be killed at any instant.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import queue
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

IMPORTS = (
    *("torch", "sklearn.linear_model", "sklearn.feature_extraction.text", "scipy.stats"),
    *("supertune.cli", "supertune.recipes.fit", "supertune.recipes.resume"),
)


@dataclass(frozen=True)
class Done:
    """What a process left: its exit code (-9: killed), and what it wrote."""

    code: int
    printed: str
    said: str


@dataclass
class Process:
    """A command that is running."""

    pid: int
    printed: Path
    said: Path
    _code: int | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    def end(self, code: int) -> None:
        self._code = code
        self._ended.set()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if not self._ended.is_set():
            os.kill(self.pid, number)

    def ends_within(self, seconds: float) -> bool:
        """Wait for the end, but not longer."""
        return self._ended.wait(seconds)

    def wait(self, seconds: float = 300) -> Done:
        """Wait for the end; a process that takes longer is killed, and that is an error."""
        if not self._ended.wait(seconds):
            self.send(signal.SIGKILL)
            raise AssertionError(f"did not end in {seconds} s, and said: {self.said.read_text(encoding='utf-8')}")
        assert self._code is not None
        return Done(self._code, self.printed.read_text(encoding="utf-8"), self.said.read_text(encoding="utf-8"))


class WarmProcesses:
    """Starts ``supertune`` commands; several threads may.

    Args:
        folder: Where the outputs of processes are kept, and the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        self._known: dict[int, Process] = {}
        self._turn = threading.Lock()
        hub = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(folder / "cache"), "no_proxy": "*"}
        own = {"SUPERTUNE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "SUPERTUNE_FAULT": ""}
        # As the command line sets them, before the libraries are imported.
        quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **hub, **own, **quiet},
        )
        self._begun: queue.SimpleQueue[Process] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> WarmProcesses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._listener.join()
        self._server.stdout.close()

    def start(
        self,
        *arguments: str,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
        alone: bool = False,
    ) -> Process:
        """Begin ``supertune`` with these arguments in the folder ``cwd``.

        Args:
            arguments: See there.
            cwd: See there.
            environment: Variables that are added or changed.
            stdin: What it reads; None for nothing.
            alone: Any attempt to connect to somewhere is an error.
        """
        with self._turn:
            self._count += 1
            given, printed, said = (self.folder / f"{self._count}.{name}" for name in ("in", "out", "err"))
            if stdin is not None:
                given.write_text(stdin, encoding="utf-8")
            order = {
                "arguments": arguments,
                "cwd": str(cwd),
                "environment": dict(environment or {}),
                "alone": alone,
                "files": [os.devnull if stdin is None else str(given), str(printed), str(said)],
            }
            self._files = printed, said
            assert self._server.stdin
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            return self._begun.get(timeout=120)

    def run(self, *arguments: str, cwd: Path, **options: Any) -> Done:
        """`start` and wait."""
        return self.start(*arguments, cwd=cwd, **options).wait()

    def _listen(self) -> None:
        assert self._server.stdout
        for line in self._server.stdout:
            pid, code = json.loads(line)
            if code is None:
                self._known[pid] = Process(pid, *self._files)
                self._begun.put(self._known[pid])
            else:
                self._known.pop(pid).end(code)


def supertune_command(
    *arguments: object, cwd: Path | None = None, environment: Mapping[str, str] | None = None, **options: Any
) -> Done:
    """What ``supertune`` does with these arguments, in a process with the surroundings of this one."""
    surroundings = {**os.environ, **(environment or {})}
    return _shared().run(*map(str, arguments), cwd=cwd or Path.cwd(), environment=surroundings, **options)


@functools.cache
def _shared() -> WarmProcesses:
    """Those that the tests of this process share; begun when the first one asks."""
    return WarmProcesses(Path(tempfile.mkdtemp(prefix="warm-")))


def stop_shared() -> None:
    """End what `supertune_command` has begun."""
    if _shared.cache_info().currsize:
        _shared().__exit__(None, None, None)
        shutil.rmtree(_shared().folder)
        _shared.cache_clear()


def serve() -> None:
    """Fork a process for each line on standard input, and write a line when one has begun and when one has ended."""
    warm_up()
    running: set[int] = set()
    while True:
        if select.select([sys.stdin], [], [], 0.005)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            pid = os.fork()
            if pid == 0:
                carry_out(json.loads(line))
            running.add(pid)
            tell(pid, None)
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                running.remove(pid)
                tell(pid, os.waitstatus_to_exitcode(status))
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def warm_up() -> None:
    """Import what training needs. Nothing is computed: a process that has begun threads must not be forked."""
    for name in IMPORTS:
        importlib.import_module(name)
    import transformers
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    from supertune.language import guess_language

    for name in ("AutoModelForSequenceClassification", "BertForSequenceClassification", "PreTrainedTokenizerFast"):
        getattr(transformers, name)
    # Half a second of compiling regular expressions, once.
    get_checkpoint_conversion_mapping("bert")  # type: ignore[no-untyped-call]
    guess_language(["the film was good", "it was late and bad"])


def carry_out(order: Mapping[str, Any]) -> None:
    """Be the command."""
    import supertune.cli

    os.setsid()
    given, *written = order["files"]
    os.dup2(os.open(given, os.O_RDONLY), 0)
    for descriptor, name in zip((1, 2), written, strict=True):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), descriptor)
    os.environ |= order["environment"]
    os.chdir(order["cwd"])
    if order["alone"]:
        refuse_connections()
    code = 1
    try:
        supertune.cli.main(order["arguments"])
    except SystemExit as ending:
        code = int(ending.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def refuse_connections() -> None:
    """From here on no call leaves this process but to files."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise AssertionError(f"a call left the machine: {address}")
        connect(self, address)

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]


def tell(pid: int, code: int | None) -> None:
    sys.stdout.write(json.dumps([pid, code]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
