"""What the user sees while supertune works: progress, tables and messages, on standard error.

On a terminal there are live bars with rate and time left; elsewhere (a pipe, a log file, CI) plain lines, few.
Standard output belongs to results.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from supertune.contracts import Finding


_WIDE = 200
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Bar(Protocol):
    """A bar that was started by `Console.progress`."""

    def __call__(self, done: float, note: str = "") -> None:
        """Say that ``done`` of the total is done, with a short note."""
        ...


class Console:
    """Where messages go.

    Args:
        quiet: Say nothing but warnings and errors.
        results: Write to standard output instead: for commands whose tables are their result.
        patience: Off a terminal, seconds that a piece of work may take until a line tells how far it is; the next lines
            come after twice as long each.
    """

    def __init__(self, *, quiet: bool = False, results: bool = False, patience: float = 60.0) -> None:
        self.quiet = quiet
        self._stderr = not results
        self._patience = patience
        self._rich: RichConsole | None = None

    @property
    def rich(self) -> RichConsole:
        """The rich console behind this one, made when first needed."""
        if self._rich is None:
            from rich.console import Console as RichConsole

            stream = sys.stderr if self._stderr else sys.stdout
            # In a file or a pipe there is no width to keep to: tables stay on one line per row.
            width = None if stream.isatty() else _WIDE
            self._rich = RichConsole(
                # Brackets and :words: in labels and texts are the user's own, not markup.
                file=stream,
                highlight=False,
                markup=False,
                emoji=False,
                soft_wrap=width is not None,
                width=width,
            )
        return self._rich

    def say(self, text: str) -> None:
        """A line of information."""
        if not self.quiet:
            self.rich.print(harmless(text))

    def heading(self, text: str) -> None:
        """A line that opens a stage of the work."""
        if not self.quiet:
            self.rich.print(f"\n{harmless(text)}", style="bold")

    def warn(self, text: str) -> None:
        """A line that must be seen, also when quiet."""
        self.rich.print(f"warning: {harmless(text)}", style="yellow")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """A table of short cells; the columns in ``right`` are aligned to the right."""
        if self.quiet:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(header):
            table.add_column(Text(harmless(name)), justify="right" if index in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(harmless(cell)) for cell in row))
        self.rich.print(table)

    @contextlib.contextmanager
    def progress(self, description: str, total: float) -> Iterator[Bar]:
        """A bar with rate and time left while the block runs; off a terminal, a line now and then if it takes long."""
        if self.quiet or not self.rich.is_terminal:
            # Where results are written nothing else is.
            yield _no_bar if self.quiet or not self._stderr else self._lines(description, total)
            return
        from rich import progress

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=32),
            progress.TaskProgressColumn(show_speed=True),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}"),
        )
        with progress.Progress(*columns, console=self.rich, transient=True) as bars:
            task = bars.add_task(description, total=total, note="")

            def bar(done: float, note: str = "") -> None:
                bars.update(task, completed=done, note=note)

            yield bar

    def _lines(self, description: str, total: float) -> Bar:
        """Tells how far work is that has taken a minute, two, four, eight …: nobody need think that it hangs."""
        begun, next_line = time.monotonic(), self._patience

        def bar(done: float, note: str = "") -> None:
            nonlocal next_line
            passed = time.monotonic() - begun
            if passed < next_line or done >= total:
                return
            next_line = 2 * passed
            self.say(f"  {description}: {done / total:.0%} after {passed / 60:.1f} minutes")

        return bar


def harmless(text: str) -> str:
    """The text without control characters: those in a user's file could repaint or retitle the terminal."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _no_bar(done: float, note: str = "") -> None:
    """The bar of those who want to hear nothing."""


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """The gate's findings as a short table, then what to do about each."""
    if not findings:
        console.say("  nothing found")
        return
    console.table(
        ("severity", "check", "split", "rows", "what"),
        [(f.severity, f.check, f.split, str(len(f.rows)) if f.rows else "", f.message) for f in findings],
        right=(3,),
    )


def print_json(value: object) -> None:
    """The one JSON object that ``--json`` promises, on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()
