"""Every value equals the reference implementation's."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference

from supertune.contracts import Outcome
from supertune.evaluate import estimate, measure, score


def random_cases(draw_outcome, count):
    """Many shapes: few rows, rare and absent classes, ties, chance and near-perfect answers."""
    generator = np.random.default_rng(11)
    for _ in range(count):
        k = int(generator.integers(2, 8))
        n = int(generator.choice([1, 2, 3, 7, 30, 150]))
        prior = generator.dirichlet(np.full(k, generator.choice([0.3, 5.0])))
        outcome = draw_outcome(generator, n, k, strength=float(generator.choice([0.0, 1.0, 4.0])), prior=prior)
        if generator.random() < 0.2:
            rounded = np.round(outcome.outputs, 1) + 0.01
            outcome = type(outcome)(outcome.targets, rounded / rounded.sum(axis=1, keepdims=True), outcome.labels)
        yield outcome


@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
@pytest.mark.filterwarnings("ignore:The number of unique classes is greater:UserWarning")
def test_counted_metrics_equal_scikit_learn_on_random_cases(draw_outcome):
    """Each case is held against one reference in turn, because scikit-learn takes milliseconds for each."""
    kinds = ("precision", "recall", "f1")
    for turn, outcome in enumerate(random_cases(draw_outcome, 300)):
        answers = outcome.outputs.argmax(axis=1)
        average = ("macro", "micro", "weighted", None, "mcc")[turn % 5]
        if average == "mcc":
            expected = reference.matthews_corrcoef(outcome.targets, answers)
            assert estimate(outcome, "mcc") == pytest.approx(expected, abs=1e-12)
            assert estimate(outcome, "accuracy") == pytest.approx(reference.accuracy_score(outcome.targets, answers))
            continue
        measured = measure(outcome, [f"{kind}_{average or 'per_class'}" for kind in kinds])
        found = {key: value.value for key, value in measured.scores.items()}
        values = reference.precision_recall_fscore_support(
            outcome.targets,
            answers,
            average=average,
            labels=None if average else list(range(len(outcome.labels))),
            zero_division=0,
        )
        for kind, value in zip(kinds, values, strict=False):
            if average:
                assert found[f"{kind}_{average}"] == pytest.approx(value, abs=1e-12), (kind, average)
                assert estimate(outcome, f"{kind}_{average}") == pytest.approx(value, abs=1e-12)
                continue
            for label, expected in zip(outcome.labels, value, strict=True):
                key = f"{kind}/{label}"
                assert (key in found) != (key in measured.undefined)
                assert found.get(key, 0.0) == pytest.approx(expected)


def test_log_loss_and_auroc_equal_scikit_learn_on_random_cases(draw_outcome):
    for turn, outcome in enumerate(random_cases(draw_outcome, 150)):
        classes = list(range(len(outcome.labels)))
        if turn % 2:
            expected = reference.log_loss(outcome.targets, outcome.outputs, labels=classes)
            assert estimate(outcome, "log_loss") == pytest.approx(expected, abs=1e-9)
            continue
        found = measure(outcome, ["auroc"])
        present = np.unique(outcome.targets)
        if len(present) < 2:
            assert "auroc" in found.undefined
            continue
        shown = [1] if len(classes) == 2 else present
        expected = np.mean(
            [reference.roc_auc_score(outcome.targets == index, outcome.outputs[:, index]) for index in shown]
        )
        assert found.scores["auroc"].value == pytest.approx(expected, abs=1e-9)


def test_macro_auroc_equals_scikit_learns_one_vs_rest(draw_outcome):
    outcome = draw_outcome(np.random.default_rng(3), 300, 5)
    expected = reference.roc_auc_score(outcome.targets, outcome.outputs, multi_class="ovr", average="macro")
    assert score(outcome, ["auroc"])["auroc"].value == pytest.approx(expected)


def test_impossible_answers_cost_what_the_signature_says(make_outcome):
    outcome = make_outcome([0, 1, 1], [0, 0, 1], 2, sure=1.0)
    measured = score(outcome, ["log_loss"])["log_loss"]
    assert measured.value == pytest.approx(-np.log(1e-15) / 3)
    assert "clipped:1e-15" in measured.signature


def test_ece_finds_over_confidence_and_forgives_chance():
    generator = np.random.default_rng(5)
    n = 4000
    right = generator.random(n) < 0.8
    calibrated = np.full((n, 2), [0.8, 0.2])
    boastful = np.full((n, 2), [0.95, 0.05])
    labels = ("a", "b")
    targets = np.where(right, 0, 1).astype(np.int64)
    honest = score(Outcome(targets, calibrated, labels), ["ece"])["ece"]
    wrong = score(Outcome(targets, boastful, labels), ["ece"])["ece"]
    assert honest.low == 0.0
    assert honest.value < 0.01
    assert wrong.value == pytest.approx(0.15, abs=0.02)
    assert wrong.low > 0.1


def test_debiased_ece_is_nearer_the_truth_than_the_usual_estimate(draw_outcome):
    generator = np.random.default_rng(6)
    ours, usual = [], []
    for _ in range(60):
        outcome = draw_outcome(generator, 150, 3, strength=1.5)
        ours.append(score(outcome, ["ece"])["ece"].value)
        confidence = outcome.outputs.max(axis=1)
        gap = (outcome.outputs.argmax(axis=1) == outcome.targets) - confidence
        usual.append(np.mean([abs(part.mean()) for part in np.array_split(gap[np.argsort(confidence)], 10)]))
    assert np.mean(ours) < 0.6 * np.mean(usual)
