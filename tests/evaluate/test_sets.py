"""Metrics of label sets equal their references, and their intervals behave as intervals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Outcome
from supertune.errors import UserError
from supertune.evaluate import (
    LabelShares,
    TfidfLabels,
    estimate,
    label_mistakes,
    labels_per_row,
    labels_together,
    measure,
    metrics_for,
    paired_difference,
    verdict_on_sets,
    worst_sets,
)

SINGLE = [name for name in metrics_for("sets") if not name.endswith("_per_class")]


def drawn(random: np.random.Generator, rows: int, labels: int, strength: float | None = None) -> Outcome:
    """Labels of very different shares, some perhaps absent, and answers that know more or less of them."""
    shares = random.uniform(0, 0.7, labels) * (random.random(labels) > 0.1)
    truth = random.random((rows, labels)) < shares
    known = random.uniform(0, 4) if strength is None else strength
    logits = known * (truth - 0.5) + random.normal(size=truth.shape) * random.choice([0.0, 1.0])
    # Ties, which rankings must not gain from.
    probabilities = np.round(1 / (1 + np.exp(-logits)), 1 if random.random() < 0.3 else 9)
    names = tuple(f"label {index}" for index in range(labels))
    return Outcome(truth, probabilities, names, "sets", given=probabilities >= random.uniform(0.2, 0.8))


def references(outcome: Outcome) -> dict[str, float]:
    truth, given, scores = outcome.targets.astype(int), outcome.given.astype(int), outcome.outputs
    present = np.flatnonzero(truth.any(axis=0) | given.any(axis=0))
    found = {
        "subset_accuracy": sklearn.metrics.accuracy_score(truth, given),
        "hamming_loss": sklearn.metrics.hamming_loss(truth, given),
        "label_ranking": sklearn.metrics.label_ranking_average_precision_score(truth, scores),
        "f1_samples": sklearn.metrics.f1_score(truth, given, average="samples", zero_division=1.0),
        "log_loss": sklearn.metrics.log_loss(truth.ravel(), np.clip(scores.ravel(), 1e-15, 1 - 1e-15), labels=[0, 1]),
    }
    kinds = ("precision", "recall", "f1")
    for average, labels in (("micro", None), ("macro", present)):
        # Where no label is true or given there is neither.
        if len(present) or average == "micro":
            scored = sklearn.metrics.precision_recall_fscore_support(
                truth, given, labels=labels, average=average, zero_division=0
            )
            found |= {f"{kind}_{average}": value for kind, value in zip(kinds, scored[:3], strict=True)}
    return found


@pytest.mark.parametrize("cases", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_metric_equals_scikit_learns_on_random_cases(cases: int) -> None:
    random = np.random.default_rng(0)
    for _ in range(cases):
        outcome = drawn(random, int(random.integers(1, 40)), int(random.integers(2, 7)))
        with warnings.catch_warnings(), sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
            warnings.simplefilter("ignore")
            wanted = references(outcome)
        for name, value in wanted.items():
            # scikit-learn clips both sides of a probability, and loses digits of what is nearly certain.
            assert estimate(outcome, name) == pytest.approx(value, rel=1e-4 if name == "log_loss" else 1e-9), name
        assert estimate(outcome, "f1_micro") == pytest.approx(wanted["f1_micro"], abs=1e-12)


def test_the_metrics_are_those_that_are_registered() -> None:
    named = {*references(drawn(np.random.default_rng(1), 30, 4, 2.0))}
    assert named == set(SINGLE)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(2, 5))
def test_intervals_hold_their_value_and_stay_in_range(seed: int, rows: int, labels: int) -> None:
    outcome = drawn(np.random.default_rng(seed), rows, labels)
    measured = measure(outcome, metrics_for("sets"), resamples=1000)
    for name, score in measured.scores.items():
        assert score.low <= score.value <= score.high
        assert score.low >= 0
        assert score.high <= 1 or name == "log_loss"
        assert score.low < score.high, name
    # A metric is there or it is said why it is not.
    assert set(SINGLE) <= {*measured.scores, *measured.undefined}


def test_perfect_answers_are_not_certain() -> None:
    truth = np.array([[True, False], [False, True]] * 10)
    outcome = Outcome(truth, truth.astype(float), ("a", "b"), "sets", given=truth)
    scores = measure(outcome, SINGLE, resamples=1000).scores
    for name in ("f1_micro", "f1_macro", "subset_accuracy", "f1_samples", "label_ranking"):
        assert scores[name].value == 1
        assert scores[name].low < 0.95


def test_where_no_row_has_a_label_there_is_no_f1() -> None:
    nothing = np.zeros((5, 2), bool)
    measured = measure(Outcome(nothing, np.zeros((5, 2)), ("a", "b"), "sets", given=nothing), SINGLE)
    assert "no row has a label or was given one" in measured.undefined["f1_micro"]
    assert measured.scores["subset_accuracy"].value == 1
    assert measured.scores["f1_samples"].value == 1


def test_paired_differences_see_what_single_intervals_cannot() -> None:
    random = np.random.default_rng(3)
    first = drawn(random, 400, 5, 3.0)
    worse = first.given.copy()
    worse[:40, 0] ^= True
    second = Outcome(first.targets, first.outputs, first.labels, "sets", given=worse)
    for name in ("f1_micro", "f1_macro", "subset_accuracy", "hamming_loss"):
        score = paired_difference(first, second, name, resamples=1000)
        assert score.value == pytest.approx(estimate(first, name) - estimate(second, name))
        assert paired_difference(first, first, name, resamples=1000).value == 0
    other = Outcome(~first.targets, first.outputs, first.labels, "sets", given=worse)
    with pytest.raises(UserError, match="not measured on the same rows"):
        paired_difference(first, other, "f1_micro")


@pytest.mark.parametrize(
    ("truth", "outputs", "given", "message"),
    [
        (np.zeros((0, 2), bool), np.zeros((0, 2)), np.zeros((0, 2), bool), "no labelled rows"),
        (np.zeros((1, 2), bool), np.zeros((1, 3)), np.zeros((1, 2), bool), "shapes"),
        (np.zeros((1, 2), bool), np.zeros((1, 2)), None, "shapes"),
        (np.zeros((1, 2), bool), np.array([[np.nan, 0]]), np.zeros((1, 2), bool), "not a number"),
    ],
)
def test_what_cannot_be_measured_is_refused(truth, outputs, given, message: str) -> None:
    with pytest.raises(UserError, match=message):
        measure(Outcome(truth, outputs, ("a", "b"), "sets", given=given), ["f1_micro"])


def test_counting_words_learns_each_label_for_itself() -> None:
    texts = [f"{'cheap ' * (row % 2)}{'tasty ' * (row % 3 == 0)}room {row % 4}" for row in range(60)]
    targets = np.array([[row % 2 == 1, row % 3 == 0, True] for row in range(60)])
    baseline, shares = TfidfLabels(), LabelShares()
    baseline.fit(texts, targets)
    shares.fit(texts, targets)
    found = baseline.predict(["cheap room", "tasty room", "很便宜"])
    assert found.shape == (3, 3)
    assert found[0, 0] > 0.5 > found[1, 0]
    assert found[1, 1] > 0.5 > found[0, 1]
    assert (found[:, 2] == 1).all()
    np.testing.assert_allclose(shares.predict(["x"])[0], targets.mean(axis=0))
    with pytest.raises(UserError, match="no rows"):
        shares.fit([], targets[:0])


def test_pictures_count_what_they_show() -> None:
    truth = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1]], bool)
    given_labels = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 1]], bool)
    outcome = Outcome(truth, given_labels * 0.8 + 0.1, ("a", "b", "c"), "sets", given=given_labels)
    together = labels_together(outcome)
    assert together.values == [[2, 1, 0], [1, 2, 1], [0, 1, 1]]
    mistakes = label_mistakes(outcome)
    assert mistakes.rows == ("a", "b", "c", "(none)")
    # b was missed and c given in its place; b was added to a row without labels.
    assert mistakes.values == [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    counts = labels_per_row(outcome, language="zh")
    assert counts.groups == {"真实": [1, 1, 2], "回答": [0, 2, 2]}
    assert worst_sets(outcome) == [0, 2]
    many = drawn(np.random.default_rng(5), 200, 40, 2.0)
    assert len(labels_together(many).rows) == 20
    assert "20 most frequent of 40" in labels_together(many).caption
    assert len(label_mistakes(many, language="zh").rows) == 21


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_verdict_says_what_the_scores_say(language: str) -> None:
    random = np.random.default_rng(7)
    model, rival = drawn(random, 800, 4, 4.0), None
    noisy = model.given ^ (random.random(model.given.shape) < 0.2)
    rival = Outcome(model.targets, model.outputs, model.labels, "sets", given=noisy)
    scores = measure(model, metrics_for("sets"), resamples=1000).scores
    counts = dict(zip(model.labels, model.targets.sum(axis=0).tolist(), strict=True))
    said = verdict_on_sets(
        scores,
        {"tfidf": measure(rival, metrics_for("sets"), resamples=1000).scores},
        paired_difference(model, rival, "f1_micro", resamples=1000),
        test_counts=counts,
        train_counts=counts,
        language=language,
    )
    assert f"{100 * scores['subset_accuracy'].value:.0f}" in said
    assert ("ahead of TF-IDF" if language == "en" else "比 TF-IDF 高") in said
    same = paired_difference(model, model, "f1_micro", resamples=1000)
    level = verdict_on_sets(scores, {}, same, test_counts=counts, train_counts=counts, language=language)
    assert ("level with TF-IDF" if language == "en" else "与 TF-IDF 持平") in level
    few = measure(model.take(np.arange(12)), metrics_for("sets"), resamples=1000).scores
    vague = verdict_on_sets(few, {}, None, test_counts=counts, train_counts=counts, language=language)
    assert ("More test rows" if language == "en" else "更多测试数据") in vague
    with pytest.raises(UserError):
        verdict_on_sets(few, {}, None, test_counts=counts, train_counts=counts, language="fr")
