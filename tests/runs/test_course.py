"""How training is going, as its events tell it: pace, time left, what is best, and what comes after interruptions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_samples import row, training_rows
from supertune.runs import Course, Curves, event_loss, smoothed_loss
from supertune.runs.course import SECONDS


def test_pace_and_time_left_follow_the_last_minute():
    course = Course([row("start", 0, steps=1000)])
    assert (course.share, course.seconds_left, course.items_per_second) == (0.0, None, None)
    # Two minutes at one step a second, then a minute and more at ten steps a second.
    for step in range(1, 121):
        course.add(row("step", step, float(step), loss=1.0, items=8))
    assert course.seconds_left == pytest.approx(880)
    assert course.items_per_second == pytest.approx(8)
    for tenth in range(1, int(10 * SECONDS) + 20):
        course.add(row("step", 120 + tenth, 120 + tenth / 10, loss=1.0, items=8))
    assert course.seconds_left == pytest.approx((1000 - course.step) / 10)
    assert course.items_per_second == pytest.approx(80)
    assert course.share == course.step / 1000


def test_a_pause_for_validation_counts_and_a_night_between_two_sessions_does_not():
    course = Course([row("start", 0, steps=100)])
    for step in range(1, 11):
        course.add(row("step", step, float(step), items=1))
    course.add(row("step", 11, 20.0, items=1))
    assert course.seconds_left == pytest.approx(89 * 19 / 10)
    course.add(row("resumed", 11, 40_000.0))
    assert course.seconds_left is None
    course.add(row("step", 12, 40_001.0, items=1))
    course.add(row("step", 13, 40_002.0, items=1))
    assert course.seconds_left == pytest.approx(87)


def test_a_clock_that_was_set_back_does_no_harm():
    course = Course([row("start", 0, steps=100), row("step", 1, 500.0, items=1), row("step", 2, 100.0, items=1)])
    assert course.seconds_left is None
    course.add(row("step", 3, 101.0, items=1))
    assert course.seconds_left == pytest.approx(97)


def test_without_a_plan_there_is_no_share_and_no_time_left():
    course = Course([row("step", 1, 0.0, items=4), row("step", 2, 1.0, items=4)])
    assert (course.steps, course.share, course.seconds_left, course.trained) == (None, None, None, False)
    assert course.items_per_second == pytest.approx(4)


def test_training_is_over_after_the_last_step_or_when_it_stopped():
    rows = list(training_rows(epochs=2, steps_per_epoch=5, planned=4))
    assert not Course(rows).trained
    stopped = Course([*rows, row("stop", 10, reason="f1_macro has not risen for 2 epochs")])
    assert stopped.trained
    assert stopped.stopped == "f1_macro has not risen for 2 epochs"
    assert Course(training_rows(epochs=4, steps_per_epoch=5)).trained
    again = Course([*rows, row("stop", 10, reason="x"), row("resumed", 5)])
    assert (again.trained, again.stopped, again.step) == (False, None, 5)


def test_the_metric_is_the_announced_one_or_what_the_best_epoch_names():
    assert Course(training_rows()).metric == "f1_macro"
    unannounced = [one for one in training_rows() if one["event"] != "start"]
    assert Course(unannounced).metric == "f1_macro"
    assert Course([row("best", 3, epoch=1, log_loss=0.4)]).metric == "log_loss"
    assert Course([row("validation", 3, epoch=1, accuracy=0.4, log_loss=0.3, mcc=0.2)]).metric == "mcc"
    assert Course().metric is None


def test_a_restart_begins_the_curves_anew_and_keeps_the_plan():
    course = Course([*training_rows(epochs=2, planned=3), row("restart", 40, 9.0, to_seed=1)])
    assert course.curves == Curves()
    assert (course.step, course.steps, course.share) == (0, 60, 0.0)


def test_a_checkpoint_that_is_reported_late_does_not_turn_training_back():
    course = Course([*training_rows(epochs=2, steps_per_epoch=5), row("checkpoint", 7, seconds=0.1)])
    assert course.step == 10


def test_a_resumed_run_announces_its_plan_as_well():
    assert Course([row("resumed", 7, steps=20, epochs=2)]).share == 0.35


def test_values_that_json_cannot_hold_come_back_as_nan():
    course = Course([row("step", 1, loss=None, learning_rate=None, items=1), row("step", 2, loss=0.5, items=1)])
    assert math.isnan(course.curves.losses[0])
    assert np.isnan(course.curves.rates).all()
    assert math.isnan(event_loss({"epoch": 1}))
    assert event_loss({"log_loss": 0.25}) == 0.25


@given(st.lists(st.one_of(st.floats(0, 100), st.just(math.nan)), max_size=300))
def test_the_smoothed_loss_is_the_mean_over_its_neighbours(losses):
    curves = Curves()
    for step, loss in enumerate(losses):
        curves.add(row("step", step, loss=loss))
    half = len(losses) // 50
    smooth = smoothed_loss(curves)
    assert len(smooth) == len(losses)
    for at, value in enumerate(smooth):
        near = [one for one in losses[max(0, at - half) : at + half + 1] if not math.isnan(one)]
        assert value == pytest.approx(np.mean(near) if near else math.nan, nan_ok=True, abs=1e-9)
