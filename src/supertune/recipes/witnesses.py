"""Who hears of a training while it goes on: the event log, the live report, and trackers elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from supertune.console import Console
from supertune.contracts import Event, Score
from supertune.recipes.event_log import EventLog
from supertune.recipes.live import LivePage, LiveReport
from supertune.recipes.prepare import Prepared
from supertune.recipes.start import Start
from supertune.recipes.story import given_facts, report_language
from supertune.runs import RunStore
from supertune.train import TrackedRun, Tracking


class Witnesses:
    """All of them as one."""

    def __init__(self, log: EventLog, live: LiveReport, tracking: Tracking) -> None:
        self._log, self._live, self._tracking = log, live, tracking

    def __call__(self, event: Event) -> None:
        """Hear an event. Trackers are first: one that cannot be opened leaves no trace of a run."""
        for hear in (self._tracking, self._log, self._live):
            hear(event)

    def training_is_over(self) -> None:
        """Write what has waited, and the last epoch into the live page.

        Raises:
            UserError: The disk is full, or the run is not writable.
        """
        self._log.flush()
        self._live.write()

    def results(self, scores: Mapping[str, Mapping[str, Score]], seed: int) -> None:
        """Hear how good the model is."""
        self._tracking.results(scores, seed=seed)


@contextmanager
def witnessed(store: RunStore, prepared: Prepared, start: Start, console: Console) -> Iterator[Witnesses]:
    """Let them hear what happens in the block, and how it ends.

    Raises:
        UserError: A tracker cannot be opened.
    """
    rows, report = prepared.rows, prepared.report
    language = report_language(start, rows)
    metric = prepared.task.primary_metric if start.config.evaluate.metric == "auto" else start.config.evaluate.metric
    facts = given_facts(start, rows, store.manifest, language)
    page = LivePage(metric, tuple(report.findings), report.rows, facts, language=language)
    flat = {
        f"{section}.{key}": value for section, keys in start.config.model_dump().items() for key, value in keys.items()
    }
    tracked = TrackedRun(store.path, flat, {"supertune.run": str(store.path)})
    with (
        LiveReport(store, page, console.warn) as live,
        Tracking(start.config.train.trackers, tracked, console.warn) as tracking,
    ):
        yield Witnesses(EventLog(store.append_event, console), live, tracking)
