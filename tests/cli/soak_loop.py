"""Kill runs at random instants, resume them, and compare what they come to with a run that was left alone."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from soak_runs import POINTS, Workshop, events, last_step, result, saved_steps

from warm_processes import Process

_IN_SAVING = 0.4
"""Share of the kills that are placed inside saving."""

_AGAIN = 0.4
"""Chance that a resume is killed too."""

_MOST_SAVES = 8
"""A kill inside saving happens at one of so many saves of a process."""


@dataclass(frozen=True)
class Death:
    """How a process is to die; it lives if neither is given.

    Attributes:
        fault: ``point:n`` inside saving.
        after: Seconds after its start.
    """

    fault: str = ""
    after: float | None = None


@dataclass
class Tally:
    """What was seen.

    Attributes:
        phases: Kills by what the process was doing.
        points: Kills inside saving, by point.
        lost: Steps that were done again, for each kill of a training that had a checkpoint and no restart.
        resumes: Processes that went on with a run.
        runs: Runs that came to their end.
        wrong: What should not have been.
    """

    phases: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    lost: list[int] = field(default_factory=list)
    resumes: int = 0
    runs: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """All of them."""
        return self.phases.total()


def usual_seconds(workshop: Workshop, reference: Path) -> float:
    """Train without a disturbance, as ``reference``; returns how long that took."""
    # Once to get what is read from disk into memory, and once for the time.
    assert workshop.train(workshop.folder / "first").wait().code == 0
    begun = time.monotonic()
    done = workshop.train(reference).wait()
    assert done.code == 0, done.said
    return time.monotonic() - begun


Draw = Callable[[bool], Death]
"""How the next process dies; it is told whether that process goes on with a run."""


def soak(workshop: Workshop, reference: Path, kills: int, draw: Draw, tell: Callable[[Tally], None]) -> Tally:
    """Kill so many processes.

    Args:
        workshop: Starts them.
        reference: The run that was left alone.
        kills: How many.
        draw: How they die.
        tell: Called after every run.
    """
    expected, tally = result(reference), Tally()
    while tally.kills < kills:
        run = workshop.folder / f"run-{tally.runs}"
        one_run(workshop, run, draw, kills, tally)
        tally.runs += 1
        for name, found in result(run).items():
            if found != expected[name]:
                tally.wrong.append(f"{run.name}: {name} is not that of the run that was left alone")
        if left := [path.name for path in (*run.rglob(".*"), *run.glob("checkpoints"))]:
            tally.wrong.append(f"{run.name}: leaves {', '.join(left)} behind")
        shutil.rmtree(run)
        tell(tally)
    return tally


def one_run(workshop: Workshop, run: Path, draw: Draw, kills: int, tally: Tally) -> None:
    """Train, die and resume until done."""
    death = draw(False)
    process = workshop.train(run, fault=death.fault)
    turns, saved = 0, list[int]()
    while True:
        killed = carry_out(death, process)
        begun = events(run, "start", "resumed")
        # A process that is killed early has fewer turns than there are trainings to go on with.
        for turn, step in zip(begun[turns:], saved, strict=False):
            if (turn["event"], turn["step"]) != ("resumed", step):
                tally.wrong.append(f"{run.name}: {turn['event']} at step {turn['step']}, but {step} was saved")
        if not killed:
            done = process.wait()
            assert done.code == 0, done.said
            return
        tally.phases[phase(run, death)] += 1
        if death.fault:
            tally.points[death.fault.rpartition(":")[0]] += 1
        death = draw(True) if tally.kills < kills else Death()
        turns, saved = len(begun), saved_steps(run)
        if not (run / "manifest.json").exists():
            # Killed before there was a run: what the folder holds, if anything, is the configuration.
            shutil.rmtree(run, ignore_errors=True)
            process = workshop.train(run, fault=death.fault)
            continue
        if len(saved) == 1 and not events(run, "restart"):
            tally.lost.append(last_step(run) - saved[0])
        tally.resumes += 1
        process = workshop.resume(run, fault=death.fault)


def carry_out(death: Death, process: Process) -> bool:
    """Let the process die as planned, or end; returns whether it was killed."""
    if death.after is not None and not process.ends_within(death.after):
        process.send(signal.SIGKILL)
    return process.wait(300).code == -signal.SIGKILL


def phase(run: Path, death: Death) -> str:
    """What the process was doing when it was killed."""
    if death.fault:
        return "saving"
    if not (run / "manifest.json").exists():
        return "before there is a run"
    if not events(run, "step"):
        return "before training"
    return "training" if last_step(run) < events(run, "start", "resumed")[-1]["steps"] else "after training"


def random_deaths(source: random.Random, usual: float) -> Draw:
    """Instants over a run's usual time in seconds and points inside saving; a resume more often than not lives."""

    def draw(resumes: bool) -> Death:
        if resumes and source.random() >= _AGAIN:
            return Death()
        if source.random() < _IN_SAVING:
            return Death(fault=f"{source.choice(POINTS)}:{source.randint(1, _MOST_SAVES)}")
        return Death(after=source.uniform(0, usual))

    return draw
