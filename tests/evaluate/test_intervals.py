"""Intervals: their known values, their edges, and that they cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from supertune.contracts import Outcome
from supertune.errors import UserError
from supertune.evaluate import estimate, measure, metrics_for, score
from supertune.evaluate.averages import gradient
from supertune.evaluate.counts import class_counts, per_class_values
from supertune.evaluate.intervals import studentised_mean, wilson
from supertune.evaluate.metric import Resampling

CLASS_METRICS = list(metrics_for("classes"))

LIMITS = {"mcc": (-1.0, 1.0), "log_loss": (0.0, -math.log(1e-15))}


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 10), (7, 10), (500, 500), (86, 100)])
def test_wilson_equals_scipys(right, n):
    expected = binomtest(right, n).proportion_ci(0.95, method="wilson")
    low, high = wilson(np.asarray(right), np.asarray(n))
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_everything():
    low, high = wilson(np.zeros(1), np.zeros(1))
    assert (low[0], high[0]) == pytest.approx((0.0, 1.0))


@st.composite
def any_outcome(draw):
    """Any rows, hard probabilities of 0 and 1 and constant answers included."""
    k = draw(st.integers(1, 5))
    n = draw(st.integers(1, 40))
    targets = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    answers = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    sure = draw(st.sampled_from([1.0, 0.9, 1 / k]))
    probabilities = np.full((n, k), (1 - sure) / max(k - 1, 1))
    probabilities[np.arange(n), answers] = sure if k > 1 else 1.0
    return Outcome(np.array(targets, dtype=np.int64), probabilities, tuple("abcde"[:k]))


@settings(max_examples=200, deadline=None)
@given(any_outcome())
def test_whatever_the_rows_every_number_is_finite_and_inside_its_interval(outcome):
    measured = measure(outcome, CLASS_METRICS, resamples=50)
    for key, value in measured.scores.items():
        minimum, maximum = LIMITS.get(key, (0.0, 1.0))
        assert minimum <= value.low <= value.value <= value.high <= maximum, key
        assert value.n == len(outcome) or "/" in key
    assert all(reason for reason in measured.undefined.values())
    asked = {name for name in CLASS_METRICS if not name.endswith("_per_class")}
    assert asked <= set(measured.scores) | set(measured.undefined)


def test_perfect_and_hopeless_answers_do_not_claim_certainty(make_outcome):
    targets = [0, 1, 2] * 20
    perfect = score(make_outcome(targets, targets, 3), CLASS_METRICS)
    hopeless = score(make_outcome(targets, [(t + 1) % 3 for t in targets], 3), CLASS_METRICS)
    for key, value in perfect.items():
        if key not in ("log_loss", "ece"):
            assert value.value == pytest.approx(1.0)
            assert value.low < 0.99, key
    for key, value in hopeless.items():
        if key.startswith(("accuracy", "f1", "precision", "recall")):
            assert value.value == 0.0
            assert value.high > 0.01, key


def test_more_rows_give_narrower_intervals(draw_outcome):
    generator = np.random.default_rng(2)
    few, many = draw_outcome(generator, 100, 3), draw_outcome(generator, 4000, 3)
    narrow = score(many, CLASS_METRICS)
    for key, value in score(few, CLASS_METRICS).items():
        assert narrow[key].high - narrow[key].low < value.high - value.low, key


def test_relabelling_the_classes_changes_no_average(draw_outcome):
    outcome = draw_outcome(np.random.default_rng(4), 200, 4)
    order = np.array([2, 0, 3, 1])
    moved = Outcome(np.argsort(order)[outcome.targets], outcome.outputs[:, order], outcome.labels)
    names = [name for name in CLASS_METRICS if not name.endswith("_per_class")]
    again = score(moved, names)
    for key, value in score(outcome, names).items():
        assert (value.value, value.low, value.high) == pytest.approx(
            (again[key].value, again[key].low, again[key].high), abs=1e-9
        )


def test_the_same_seed_gives_the_same_interval_whatever_else_is_measured(draw_outcome):
    outcome = draw_outcome(np.random.default_rng(4), 200, 4)
    alone = score(outcome, ["log_loss"], seed=3)["log_loss"]
    assert score(outcome, CLASS_METRICS, seed=3)["log_loss"] == alone
    assert score(outcome, ["log_loss"], seed=4)["log_loss"].low != alone.low


@pytest.mark.parametrize("kind", ["precision", "recall", "f1"])
def test_gradient_is_the_slope_of_the_average(kind):
    matrix = np.array([[30.0, 4, 2], [1, 9, 3], [5, 2, 40]])
    weights = np.array([0.2, 0.5, 0.3])
    slope = gradient(kind, class_counts(matrix), weights)
    for cell in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[cell] = 1e-5
        up, down = (weights @ per_class_values(kind, class_counts(matrix + sign * step)) for sign in (1, -1))
        assert slope[cell] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-9)


def test_studentised_mean_of_many_normal_rows_is_students(draw_outcome):
    values = np.random.default_rng(8).standard_normal(3000) + 5
    low, high, method = studentised_mean(values, Resampling(0, 4000))
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half * 0.1)
    assert method == "studentised-bootstrap-4000|seed:0"


def test_intervals_cover_where_the_percentile_bootstrap_does_not(draw_outcome):
    """Six skewed classes, 150 rows: the percentile bootstrap of macro F1 covers about 80 % here."""
    generator = np.random.default_rng(9)
    prior = (0.5, 0.2, 0.12, 0.08, 0.06, 0.04)
    truth = {key: estimate(draw_outcome(generator, 400_000, 6, 2.0, prior), key) for key in ("f1_macro", "accuracy")}
    hits = dict.fromkeys(truth, 0)
    for _ in range(300):
        sample = score(draw_outcome(generator, 150, 6, 2.0, prior), list(truth))
        for key, value in truth.items():
            hits[key] += sample[key].low <= value <= sample[key].high
    assert all(hit >= 0.91 * 300 for hit in hits.values()), hits


def test_signatures_say_what_was_computed(draw_outcome):
    found = score(draw_outcome(np.random.default_rng(1), 120, 6, 3.0), CLASS_METRICS, seed=5)
    assert found["f1_macro"].signature == "f1_macro|classes:6|interval:wilson-mover|n:120|supertune-1"
    assert found["accuracy"].signature == "accuracy|interval:wilson|n:120|supertune-1"
    assert "one-vs-rest-macro|classes:6-of-6" in found["auroc"].signature
    assert "seed:5" in found["log_loss"].signature
    for key, value in found.items():
        assert value.signature.startswith(key.split("/")[0] + "|")
        assert value.signature.endswith("|supertune-1")


def test_intervals_that_rest_on_little_say_so(make_outcome):
    few_wrong = score(make_outcome([0, 1] * 100, [1, 0, *([0, 1] * 99)], 2), ["accuracy", "f1_macro", "log_loss"])
    assert all("2 wrong answers among 200 rows" in value.warning for value in few_wrong.values())
    rare = score(make_outcome([0] * 100 + [1] * 4, [1] * 30 + [0] * 70 + [1] * 4, 2), ["accuracy", "f1_macro", "mcc"])
    assert rare["accuracy"].warning is None
    assert "'b' has only 4 test rows" in rare["f1_macro"].warning == rare["mcc"].warning
    plenty = score(make_outcome([0, 1] * 100, [0, 1, 1, 1] * 50, 2), CLASS_METRICS)
    assert {key for key, value in plenty.items() if value.warning} == set()


def test_absent_classes_are_named_and_left_out(make_outcome):
    measured = measure(make_outcome([0, 0, 1, 1], [0, 1, 1, 1], 3), CLASS_METRICS)
    assert "'c'" in measured.scores["f1_macro"].warning
    assert "'c'" in measured.scores["auroc"].warning
    assert {"f1/c", "precision/c", "recall/c"} <= set(measured.undefined)
    assert measured.scores["f1_macro"].value == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_scores_of_a_class_count_its_own_rows(make_outcome):
    found = score(make_outcome([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], 2), CLASS_METRICS)
    assert {key: found[f"{key}/a"].n for key in ("recall", "precision", "f1")} == {"recall": 3, "precision": 3, "f1": 4}


def test_one_class_leaves_out_what_needs_two(make_outcome):
    measured = measure(make_outcome([0, 0, 0], [0, 0, 1], 2), CLASS_METRICS)
    assert set(measured.undefined) == {"mcc", "auroc", "recall/b"}
    with pytest.raises(UserError, match="auroc"):
        estimate(make_outcome([0, 0], [0, 1], 2), "auroc")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(np.zeros(0, dtype=np.int64), np.zeros((0, 2)), ("a", "b")), "no labelled rows"),
        (Outcome(np.array([0]), np.array([[np.nan, 1.0]]), ("a", "b")), "not a number"),
        (Outcome(np.array([0, 2]), np.full((2, 2), 0.5), ("a", "b")), "target 2 of row 1"),
        (Outcome(np.array([0]), np.full((1, 3), 0.3), ("a", "b")), "shape"),
    ],
)
def test_what_cannot_be_measured_is_refused(outcome, words):
    with pytest.raises(UserError, match=words) as caught:
        score(outcome, ["accuracy"])
    assert caught.value.fix


def test_an_unknown_metric_names_the_nearest(make_outcome):
    with pytest.raises(UserError, match="f1_macro"):
        score(make_outcome([0], [0], 2), ["f1_makro"])
