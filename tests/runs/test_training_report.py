"""Learning curves and the page of a run in progress: what they show, and what they do not."""

import datetime
import html
import re
import xml.etree.ElementTree as ElementTree

import pytest
from report_samples import sample_report

from event_samples import row, training_rows
from supertune.contracts import LineChart, Paragraph
from supertune.runs import Course, Curves, duration_text, learning_section, progress_report, render_report
from supertune.runs.report.words import WORDS

AT = datetime.datetime(2026, 1, 31, 13, 4, 5, tzinfo=datetime.UTC)


def charts(course, metric="f1_macro", language="en"):
    return {block.title: block for block in learning_section(course.curves, metric, language).blocks}


def page(course, status="running", language="en", **changes):
    report = progress_report(
        course, title="my run", metric="f1_macro", status=status, at=AT, language=language, **changes
    )
    return render_report(report)


def test_the_pictures_are_loss_score_and_rate_with_the_best_epoch_marked():
    shown = charts(Course(training_rows(epochs=3, steps_per_epoch=20)))
    assert list(shown) == ["Loss", "Validation score after each epoch", "Learning rate"]
    loss, score, rate = shown.values()
    assert [series.name for series in loss.series] == ["single steps", "training", "validation"]
    assert [series.faint for series in loss.series] == [True, False, False]
    assert loss.mark == (60, "best: epoch 3")
    assert loss.series[2].x == [20, 40, 60]
    assert loss.series[2].y == pytest.approx([0.5, 0.25, 1 / 6])
    assert score.mark == (3, "best: epoch 3")
    assert [series.name for series in score.series] == ["F1, macro average", "Accuracy"]
    assert score.series[0].y == pytest.approx([0.25, 0.375, 5 / 12])
    assert max(rate.series[0].y) == 5e-5
    assert "mean over 3 steps" in loss.caption


def test_single_steps_of_a_long_training_become_a_band_that_holds_most_of_them():
    losses = [2 + (-1) ** step * (step % 10) / 10 for step in range(5000)]
    course = Course(row("step", step, loss=loss) for step, loss in enumerate(losses))
    (line,) = charts(course)["Loss"].series
    assert len(line.x) == 200
    assert all(1 < low < high < 3 for low, high in zip(line.low, line.high, strict=True))
    assert line.y == pytest.approx([sum(losses) / len(losses)] * 200, abs=0.02)
    inside = sum(min(line.low) <= loss <= max(line.high) for loss in losses) / len(losses)
    assert inside >= 0.9


def test_few_steps_are_shown_as_they_are():
    (line,) = charts(Course(row("step", step, loss=float(step)) for step in range(1, 8)))["Loss"].series
    assert (line.x, line.y, line.faint) == ([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7], False)


def test_a_metric_that_is_no_share_stands_alone():
    course = Course([row("validation", 5, epoch=1, accuracy=0.9, log_loss=0.3), row("best", 5, epoch=1, log_loss=0.3)])
    chart = charts(course, metric="log_loss")["Validation score after each epoch"]
    assert [series.name for series in chart.series] == ["Log loss"]
    assert chart.y_label == "Log loss"


def test_before_the_first_step_there_is_a_sentence():
    assert learning_section(Curves(), "f1_macro", "en").blocks == (Paragraph("Training is about to begin."),)


def test_scores_that_are_missing_leave_gaps():
    rows = [row("validation", 5 * epoch, epoch=epoch, log_loss=None, mcc=None) for epoch in (1, 2)]
    chart = charts(Course(rows), metric="mcc")["Validation score after each epoch"]
    assert isinstance(chart, LineChart)
    assert "Nothing to draw" in page(Course(rows), language="en").replace("\n", " ")


def test_a_page_of_a_run_in_progress_says_how_far_it_is_and_renews_itself():
    text = page(Course(training_rows(epochs=2, steps_per_epoch=20, planned=5)))
    assert '<meta http-equiv="refresh" content="10">' in text
    assert "Step 40 of 100. 2 of 5 epochs are done." in text
    assert '<progress value="40" max="100"' in text
    assert "6 s" in text  # 60 steps at ten a second
    assert "160 rows/s" in text
    assert "37.5 %" in text
    assert "2026-01-31 13:04:05" in text
    assert WORDS["en"].status["running"] in text


def test_when_the_steps_are_done_the_page_says_what_comes_now():
    text = page(Course(training_rows(epochs=2)))
    assert "saved and measured" in text
    assert "rows/s" not in text
    assert "Time left" not in text


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_page_of_a_run_that_ended_badly_does_not_renew_itself(status):
    text = page(Course(training_rows(epochs=2, planned=5)), status, problem="training diverged at step 41")
    assert 'http-equiv="refresh"' not in text
    assert WORDS["en"].status[status] in text
    assert "training diverged at step 41" in text
    assert "Time left" not in text


def test_the_final_report_does_not_renew_itself_either():
    assert 'http-equiv="refresh"' not in render_report(sample_report("en"))


def test_in_chinese_no_english_is_left():
    course = Course([*training_rows(epochs=2, steps_per_epoch=20, planned=5), row("stop", 40, reason="够了")])
    text = re.sub(r"<style>.*?</style>", "", page(course, language="zh"), flags=re.DOTALL)
    words = set(re.findall(r"[A-Za-z]{3,}", html.unescape(re.sub(r"<[^>]*>", " ", text))))
    assert words <= {"run", "supertune"}, words


def test_what_the_pictures_say_to_those_who_cannot_see_them():
    text = page(Course(training_rows(epochs=2, steps_per_epoch=20)))
    (loss, *_) = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
    description = loss.find("desc").text
    assert "training: 40 points" in description
    assert "validation: 2 points" in description
    assert "single steps" not in description


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0.4, "0 s", "0 秒"),
        (59.6, "1 min 0 s", "1 分 0 秒"),
        (130, "2 min 10 s", "2 分 10 秒"),
        (3600, "1 h 0 min", "1 小时 0 分"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h", "3 天 4 小时"),
    ],
)
def test_times_as_people_say_them(seconds, english, chinese):
    assert duration_text(seconds) == english
    assert duration_text(seconds, "zh") == chinese
