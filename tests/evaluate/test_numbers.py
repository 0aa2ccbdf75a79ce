"""Metrics of numbers equal their references, and their intervals behave as intervals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import FloatArray, Outcome
from supertune.errors import UserError
from supertune.evaluate import (
    MeanBaseline,
    TfidfRidge,
    calibration_of_numbers,
    error_histogram,
    estimate,
    largest_errors,
    measure,
    metrics_for,
    paired_difference,
    truth_and_answers,
    verdict_on_numbers,
)

NAMES = ["r2", "pearson", "spearman", "rmse", "mae", "quadratic_kappa"]


def outcome(truth: FloatArray, answers: FloatArray) -> Outcome:
    return Outcome(truth.reshape(-1, 1), answers.reshape(-1, 1), ("x",), "numbers", ((1.0, 5.0),))


def references(truth: FloatArray, answers: FloatArray) -> dict[str, float]:
    rounded = np.clip(np.round(answers), 1, 5)
    with warnings.catch_warnings():
        # Of constant numbers there is no correlation, and scipy says so.
        warnings.simplefilter("ignore")
        return {
            "r2": sklearn.metrics.r2_score(truth, answers),
            "pearson": scipy.stats.pearsonr(truth, answers).statistic,
            "spearman": scipy.stats.spearmanr(truth, answers).statistic,
            "rmse": sklearn.metrics.root_mean_squared_error(truth, answers),
            "mae": sklearn.metrics.mean_absolute_error(truth, answers),
            "quadratic_kappa": sklearn.metrics.cohen_kappa_score(
                truth.astype(int),
                rounded.astype(int),
                labels=list(range(1, 6)),
                weights="quadratic",
            ),
        }


def ratings(random: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
    truth = random.integers(1, 6, n).astype(float)
    return truth, truth + random.normal(scale=random.uniform(0.1, 3), size=n)


@pytest.mark.parametrize("cases", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_cases_equal_the_references(cases: int) -> None:
    random = np.random.default_rng(0)
    compared = 0
    for _ in range(cases):
        truth, answers = ratings(random, int(random.integers(3, 40)))
        if len(np.unique(truth)) < 2:
            continue
        compared += 1
        for name, wanted in references(truth, answers).items():
            assert estimate(outcome(truth, answers), name) == pytest.approx(wanted, abs=1e-9), name
    assert compared > 0.95 * cases


@given(st.integers(0, 10_000), st.floats(1e-6, 1e6), st.floats(-1e6, 1e6))
@settings(deadline=None)
def test_units_change_errors_alone(seed: int, scale: float, shift: float) -> None:
    random = np.random.default_rng(seed)
    truth = random.normal(size=30)
    answers = truth + random.normal(size=30)
    plain = outcome(truth, answers)
    other = outcome(truth * scale + shift * scale, answers * scale + shift * scale)
    for name in ("r2", "pearson", "spearman"):
        assert estimate(other, name) == pytest.approx(estimate(plain, name), abs=1e-5)
    for name in ("rmse", "mae"):
        assert estimate(other, name) == pytest.approx(scale * estimate(plain, name), rel=1e-4)


@pytest.mark.parametrize("columns", [1, 3])
def test_every_score_lies_in_its_interval_and_estimates_agree(columns: int) -> None:
    random = np.random.default_rng(1)
    truth = random.integers(1, 6, (80, columns)).astype(float)
    answers = truth + random.normal(size=truth.shape)
    found = Outcome(truth, answers, tuple("abc"[:columns]), "numbers", ((1.0, 5.0),) * columns)
    scores = measure(found, NAMES, resamples=1000).scores
    assert set(NAMES) <= set(scores)
    assert len(scores) == len(NAMES) * (1 if columns == 1 else 1 + columns)
    for name in NAMES:
        assert scores[name].low < scores[name].value < scores[name].high
        assert scores[name].value == pytest.approx(estimate(found, name))
        if columns > 1:
            each = [scores[f"{name}/{label}"].value for label in found.labels]
            assert scores[name].value == pytest.approx(np.mean(each))


def test_four_times_the_rows_halve_the_intervals() -> None:
    random = np.random.default_rng(2)
    truth = random.normal(size=8000)
    answers = 0.8 * truth + 0.5 * random.normal(size=8000)
    for name in ("r2", "pearson", "spearman", "rmse", "mae"):
        widths = []
        for n in (500, 8000):
            score = measure(outcome(truth[:n], answers[:n]), [name], resamples=1000).scores[name]
            widths.append(score.high - score.low)
        assert widths[0] / widths[1] == pytest.approx(4, rel=0.25), name


def test_metrics_of_numbers_are_those_of_the_kind() -> None:
    assert list(metrics_for("numbers")) == NAMES
    assert not set(metrics_for("classes")) & set(NAMES)


def test_constant_answers_correlate_with_nothing_and_explain_nothing() -> None:
    truth = np.array([1.0, 2.5, 3.0, 4.0])
    found = measure(outcome(truth, np.full(4, truth.mean())), NAMES)
    assert found.scores["r2"].value == pytest.approx(0)
    assert set(found.undefined) == {"pearson", "spearman"}


def test_a_model_compared_with_itself_differs_by_nothing_and_with_a_worse_one_by_more() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(size=400)
    good, bad = truth + 0.3 * random.normal(size=400), truth + random.normal(size=400)
    for name in ("r2", "pearson", "spearman", "mae"):
        same = paired_difference(outcome(truth, good), outcome(truth, good), name, resamples=1000)
        assert same.value == same.low == same.high == 0
        score = paired_difference(outcome(truth, good), outcome(truth, bad), name, resamples=1000)
        sign = -1 if name == "mae" else 1
        assert sign * score.low > 0
        assert sign * score.high > 0
    with pytest.raises(UserError, match="no paired comparison"):
        paired_difference(outcome(truth, good), outcome(truth, bad), "rmse")


def test_answers_that_are_no_numbers_are_refused() -> None:
    truth = np.array([1.0, 2.0])
    with pytest.raises(UserError, match="first in row 1"):
        measure(outcome(truth, np.array([1.0, np.nan])), ["r2"])
    with pytest.raises(UserError, match="no labelled rows"):
        measure(outcome(np.zeros(0), np.zeros(0)), ["r2"])
    with pytest.raises(UserError, match="target of row 0"):
        measure(outcome(np.array([np.nan, 1.0]), truth), ["r2"])


def test_tfidf_learns_what_words_say_and_the_mean_answers_where_there_are_none() -> None:
    texts = [f"{'good ' * (row % 5)}film number {row}" for row in range(60)]
    targets = np.array([[row % 5, 10.0] for row in range(60)], float)
    ridge = TfidfRidge()
    ridge.fit(texts[:50], targets[:50])
    answers = ridge.predict(texts[50:])
    assert answers.shape == (10, 2)
    assert np.abs(answers[:, 0] - targets[50:, 0]).mean() < 1.0
    np.testing.assert_allclose(answers[:, 1], 10.0)
    mean = MeanBaseline()
    mean.fit(texts, targets)
    np.testing.assert_allclose(mean.predict(["x"]), [[2.0, 10.0]])
    blank = TfidfRidge()
    blank.fit(["", " "] * 5, targets[:10])
    np.testing.assert_allclose(blank.predict(["", "y"]), np.tile(targets[:10].mean(0), (2, 1)))


def test_pictures_show_what_is_there() -> None:
    random = np.random.default_rng(4)
    truth = random.normal(size=2000)
    answers = truth + 0.1 * random.normal(size=2000)
    answers[7] = 50.0
    found = outcome(truth, answers)
    (points,) = truth_and_answers(found).series
    assert points.points
    assert len(points.x) == 1000
    assert sum(error_histogram(found).groups["rows"]) == 2000
    (means,) = calibration_of_numbers(found).series
    assert len(means.x) == 10
    assert list(means.x) == sorted(means.x)
    assert largest_errors(found, 3)[0] == 7
    assert largest_errors(outcome(truth, truth)) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [("x",), ("x", "y")])
def test_the_verdict_tells_errors_baselines_and_doubt(language: str, columns: tuple[str, ...]) -> None:
    random = np.random.default_rng(5)
    truth = random.normal(size=(300, len(columns)))
    found = Outcome(truth, truth + 0.4 * random.normal(size=truth.shape), columns, "numbers")
    mean = Outcome(truth, np.zeros_like(truth), columns, "numbers")
    baselines = {"mean": measure(mean, NAMES, resamples=1000).scores}
    baselines["tfidf"] = baselines["mean"]
    difference = paired_difference(found, mean, "r2", resamples=1000)
    scores = measure(found, NAMES, resamples=1000).scores
    said = verdict_on_numbers(scores, baselines, difference, columns, language=language)
    error = scores["mae" if len(columns) == 1 else "mae/y"]
    assert f"{error.value:.3g}" in said
    assert "300" in said
    assert ("rarely" if language == "en" else "仅凭运气") in said
    few = measure(found.take(np.arange(8)), NAMES, resamples=1000).scores
    assert ("More test rows" if language == "en" else "更多测试数据") in verdict_on_numbers(
        few, {}, None, columns, language=language
    )


def test_kappa_is_that_of_the_columns_of_ratings_on_the_scale_that_was_learned() -> None:
    truth = np.array([[4.0, 0.3], [5.0, 0.1], [4.0, 0.2], [5.0, 0.9]] * 30)
    answers = np.array([[1.0, 0.3], [5.0, 0.1], [1.0, 0.2], [5.0, 0.9]] * 30)
    found = measure(Outcome(truth, answers, ("stars", "price"), "numbers", ((1.0, 5.0), None)), ["quadratic_kappa"])
    assert set(found.scores) == {"quadratic_kappa/stars"}
    wanted = sklearn.metrics.cohen_kappa_score(
        truth[:, 0].astype(int), answers[:, 0].astype(int), labels=list(range(1, 6)), weights="quadratic"
    )
    assert found.scores["quadratic_kappa/stars"].value == pytest.approx(wanted)
    assert (
        "quadratic_kappa"
        in measure(Outcome(truth, answers, ("a", "b"), "numbers", (None, None)), ["quadratic_kappa"]).undefined
    )


def test_two_rows_give_no_interval_and_the_verdict_asks_for_more() -> None:
    truth = np.array([1.0, 2.0])
    scores = measure(outcome(truth, np.array([1.1, 1.7])), NAMES, resamples=1000).scores
    assert scores["r2"].low == scores["r2"].value == scores["r2"].high
    assert "no interval" in (scores["r2"].warning or "")
    said = verdict_on_numbers(scores, {}, None, ("x",))
    assert "More test rows" in said
    assert "nan" not in said


def test_intervals_that_a_few_rows_decide_carry_a_warning() -> None:
    random = np.random.default_rng(6)
    truth = np.exp(2 * random.normal(size=1000))
    answers = truth * np.exp(0.5 * random.normal(size=1000))
    heavy = measure(outcome(truth, answers), ["r2"], resamples=1000).scores["r2"]
    assert "a few rows" in (heavy.warning or "")
    normal = random.normal(size=1000)
    light = measure(outcome(normal, normal + random.normal(size=1000)), ["r2"], resamples=1000).scores["r2"]
    assert light.warning is None
    rival = outcome(truth, answers * np.exp(0.1 * random.normal(size=1000)))
    assert paired_difference(outcome(truth, answers), rival, "r2", resamples=1000).warning
