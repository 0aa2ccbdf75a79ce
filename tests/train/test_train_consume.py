"""Consumers: who hears what, in which order, and how training is stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supertune.contracts import Event, Stop
from supertune.train import consume


class Listener:
    """Notes what it hears and answers as told."""

    def __init__(self, **answers: Event | Stop) -> None:
        self.heard: list[str] = []
        self._answers = answers

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        self.heard.append(event.event)
        if event.event in self._answers:
            yield self._answers[event.event]


def training(steps: int, taken: list[int] | None = None) -> Iterator[Event]:
    for step in range(1, steps + 1):
        if taken is not None:
            taken.append(step)
        yield Event("step", step)


def test_replies_reach_every_consumer_also_those_before_the_one_that_replied() -> None:
    first = Listener(validation=Event("best", 1))
    second = Listener(step=Event("validation", 1))
    names = [event.event for event in consume(training(1), [first, second])]
    assert names == first.heard == second.heard == ["step", "validation", "best"]


def test_without_consumers_events_pass_through() -> None:
    assert [event.step for event in consume(training(3), [])] == [1, 2, 3]


def test_stop_ends_at_the_step_and_takes_no_further_one() -> None:
    taken: list[int] = []
    stopper, other = Listener(step=Stop("enough")), Listener()
    events = list(consume(training(100, taken), [stopper, other]))
    assert taken == [1]
    assert [(event.event, event.step) for event in events] == [("step", 1), ("stop", 1)]
    assert events[-1].values == {"reason": "enough"}
    assert other.heard == ["step", "stop"]


def test_what_was_said_with_the_stop_is_still_heard_and_the_stop_comes_last() -> None:
    stopper = Listener(validation=Stop("no better"))
    speaker = Listener(step=Event("validation", 1), validation=Event("worse", 1))
    names = [event.event for event in consume(training(5), [stopper, speaker])]
    assert names == ["step", "validation", "worse", "stop"]
    assert stopper.heard == speaker.heard == names


def test_the_first_of_two_reasons_counts() -> None:
    consumers = [Listener(step=Stop("first")), Listener(step=Stop("second"))]
    assert list(consume(training(5), consumers))[-1].values["reason"] == "first"


def test_a_wish_while_stopping_changes_nothing() -> None:
    consumers = [Listener(step=Stop("enough"), stop=Stop("again"))]
    assert [event.event for event in consume(training(5), consumers)] == ["step", "stop"]
