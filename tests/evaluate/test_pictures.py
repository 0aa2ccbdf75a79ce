"""Pictures hold the numbers they show."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Outcome
from supertune.evaluate import (
    baseline_chart,
    class_f1_chart,
    confidence_histogram,
    confusion_map,
    reliability_chart,
    score,
    worst_errors,
)
from supertune.evaluate.pictures import WORDS


def test_confusion_counts_true_by_row_and_answer_by_column(make_outcome):
    picture = confusion_map(make_outcome([0, 0, 1, 2], [0, 1, 1, 0], 3))
    assert picture.values == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert picture.rows == picture.columns == ("a", "b", "c")


def test_of_many_classes_the_most_confused_are_shown():
    generator = np.random.default_rng(1)
    targets = generator.integers(0, 50, 2000)
    answers = targets.copy()
    mixed = (targets >= 30) & (generator.random(2000) < 0.5)
    answers[mixed] = 30 + (targets[mixed] - 29) % 20
    outcome = Outcome(targets, np.eye(50)[answers], tuple(f"c{index}" for index in range(50)))
    picture = confusion_map(outcome)
    assert picture.rows == tuple(f"c{index}" for index in range(30, 50))
    assert "20 most confused of 50" in picture.caption
    assert "50" in confusion_map(outcome, language="zh").caption


def test_reliability_chart_has_a_band_around_each_point(draw_outcome):
    chart = reliability_chart(draw_outcome(np.random.default_rng(2), 400, 3))
    (series,) = chart.series
    assert chart.diagonal
    assert len(series.x) == 10
    for low, value, high in zip(series.low, series.y, series.high, strict=True):
        assert 0 <= low <= value <= high <= 1


def test_histogram_counts_every_row_once(make_outcome):
    picture = confidence_histogram(make_outcome([0, 1, 1, 0], [0, 1, 0, 0], 2, sure=1.0))
    assert sum(picture.groups["right"]) == 3
    assert sum(picture.groups["wrong"]) == 1
    assert all(len(picture.edges) == len(counts) + 1 for counts in picture.groups.values())


def test_class_chart_starts_with_the_weakest(make_outcome):
    scores = score(make_outcome([0, 0, 1, 1, 2], [0, 1, 1, 1, 0], 3), ["f1_per_class", "accuracy"])
    assert list(class_f1_chart(scores).items) == ["c", "a", "b"]


def test_baselines_stand_beside_the_model(make_outcome):
    scores = score(make_outcome([0, 1], [0, 1], 2), ["f1_macro"])
    chart = baseline_chart(scores, {"majority": scores, "tfidf": {}})
    assert list(chart.items) == ["this model", "majority"]
    assert list(baseline_chart(scores, {}, language="zh").items) == ["本模型"]


def test_worst_errors_are_wrong_and_surest_first(draw_outcome):
    outcome = draw_outcome(np.random.default_rng(3), 200, 4)
    errors = worst_errors(outcome, 10)
    assert len(errors) == 10
    wrong = np.flatnonzero(outcome.outputs.argmax(axis=1) != outcome.targets)
    assert [error[3] for error in errors] == sorted(outcome.outputs.max(axis=1)[wrong], reverse=True)[:10]
    for row, true, answer, confidence in errors:
        assert outcome.labels[outcome.targets[row]] == true != answer
        assert outcome.outputs[row].max() == confidence


def test_without_errors_there_are_none(make_outcome):
    assert worst_errors(make_outcome([0, 1], [0, 1], 2)) == []


@pytest.mark.parametrize("language", list(WORDS))
def test_every_language_has_every_word(language):
    assert WORDS[language].keys() == WORDS["en"].keys()
