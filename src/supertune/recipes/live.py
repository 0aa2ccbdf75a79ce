"""The report of a run in progress: report.html from the first seconds on, until the final one takes its place."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType

from supertune.contracts import Event, Finding, Section, Stop
from supertune.errors import InterruptedRunError, UserError
from supertune.runs import Course, Language, RunStore, Status, event_row, progress_report, render_report

EVERY = 20.0
"""Seconds between two pages while an epoch lasts."""

_SHARE = 0.01
"""The part of the time that writing pages may take at most; epochs of a second must not be half of it."""

_FIRST = 3.0


@dataclass(frozen=True)
class LivePage:
    """What the page says besides how far training has come; all of it is known before training begins.

    Attributes:
        metric: The metric that chooses the epoch.
        findings: What the gate found.
        rows: How many rows the gate looked at.
        facts: What is used: name → value.
        sections: What to show below the curves.
        language: Language of the page.
    """

    metric: str
    findings: tuple[Finding, ...] = ()
    rows: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    language: Language = "en"


class LiveReport:
    """Hears every event of a run: writes report.html every 20 seconds, after epochs, and when the block fails.

    Writing takes at most a hundredth of the time, and what goes wrong with it (a full disk) is said once and never
    disturbs training. A block that ends well leaves the last page as it is: the final report replaces it.

    Example:
        >>> with LiveReport(store, page, console.warn) as live:
        ...     for event in training:
        ...         live(event)
        ...     live.write()  # training is over; with the last epoch's scores
        ...     write_story(story)  # the final report

    Args:
        store: The run; the events it has already are part of the curves.
        page: What else the page says.
        warn: Told once, when a page could not be written.
        clock: Seconds, from anywhere.
    """

    def __init__(
        self,
        store: RunStore,
        page: LivePage,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._page, self._warn, self._clock = store, page, warn, clock
        self._course = Course(store.events())
        self._warned = False
        self._epoch_ended = False
        self._earliest = self._due = clock() + _FIRST

    def __enter__(self) -> LiveReport:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt | InterruptedRunError):
            self.write("interrupted")
        elif error is not None:
            self.write("failed", problem=error.what if isinstance(error, UserError) else "")

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Take the event in; write a page when it is time."""
        self._course.add(event_row(event))
        if event.event == "epoch":
            self._epoch_ended = True
        elif event.event == "step":
            # Not before the next step, when the epoch's validation and its verdict have come.
            now = self._clock()
            if now >= self._due or (self._epoch_ended and now >= self._earliest):
                self.write()
        return ()

    def write(self, status: Status = "running", *, problem: str = "") -> None:
        """Write the page now.

        Args:
            status: How the run stands.
            problem: Why it failed.
        """
        begun = self._clock()
        page = self._page
        report = progress_report(
            self._course,
            title=self._store.path.name,
            metric=page.metric,
            status=status,
            at=datetime.datetime.now().astimezone(),
            problem=problem,
            language=page.language,
        )
        report = replace(
            report,
            sections=(*report.sections, *page.sections),
            findings=page.findings,
            rows=page.rows,
            facts=page.facts,
        )
        try:
            self._store.write_report(render_report(report))
        except (UserError, OSError) as error:
            if not self._warned:
                self._warn(f"the report of the run in progress could not be written; training goes on: {error}")
            self._warned = True
        self._epoch_ended = False
        now = self._clock()
        self._earliest = now + (now - begun) / _SHARE
        self._due = max(now + EVERY, self._earliest)
