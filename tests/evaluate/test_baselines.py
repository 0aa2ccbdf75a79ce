"""The two baselines: right on what is learnable, sane on what is not."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Predictor
from supertune.errors import UserError
from supertune.evaluate import MajorityBaseline, TfidfBaseline

ENGLISH = ["the parcel never came", "where is my parcel", "please refund me", "i want a refund now"] * 6
CHINESE = ["包裹一直没到", "我的包裹在哪里", "请给我退款", "我要马上退款"] * 6
TOPICS = ["delivery", "delivery", "refund", "refund"] * 6
LABELS = ("delivery", "refund")


@pytest.mark.parametrize("kind", [MajorityBaseline, TfidfBaseline])
def test_baselines_are_predictors_that_answer_in_label_order(kind):
    predictor: Predictor = kind(("refund", "delivery"))
    predictor.fit(ENGLISH, TOPICS)
    probabilities = predictor.predict(["refund the parcel", ""])
    assert probabilities.shape == (2, 2)
    assert probabilities.dtype == np.float64
    assert probabilities.sum(axis=1) == pytest.approx([1, 1])


def test_majority_gives_the_frequencies():
    baseline = MajorityBaseline((0, 1, 2))
    baseline.fit(["x"] * 4, [1, 1, 1, 0])
    assert baseline.predict(["a", "b"]).tolist() == [[0.25, 0.75, 0.0]] * 2


@pytest.mark.parametrize(
    ("train", "texts"),
    [
        (ENGLISH, ["has the parcel come", "a refund please"]),
        (CHINESE, ["包裹到了吗", "可以退款吗"]),
        (ENGLISH[:12] + CHINESE[:12], ["包裹到了吗", "a refund please"]),
    ],
    ids=["english", "chinese", "mixed"],
)
def test_tfidf_learns_words_and_characters(train, texts):
    baseline = TfidfBaseline(LABELS)
    baseline.fit(train, TOPICS)
    assert baseline.predict(texts).argmax(axis=1).tolist() == [0, 1]


def test_fitting_twice_gives_the_same_and_forgets_the_first():
    once, twice = TfidfBaseline(LABELS), TfidfBaseline(LABELS)
    once.fit(ENGLISH, TOPICS)
    twice.fit(CHINESE, TOPICS[::-1])
    twice.fit(ENGLISH, TOPICS)
    assert np.array_equal(once.predict(ENGLISH), twice.predict(ENGLISH))


@pytest.mark.parametrize(
    "texts", [[""] * 4, ["   ", "\u3000", "", "!"], ["a", "b", "c", "d"], ["好", "坏", "好", "坏"]]
)
def test_texts_with_nothing_to_learn_do_not_crash(texts):
    baseline = TfidfBaseline((0, 1))
    baseline.fit(texts, [0, 1, 0, 1])
    probabilities = baseline.predict([*texts, "unseen words", "没见过"])
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(6))


def test_classes_missing_from_training_get_nothing():
    baseline = TfidfBaseline(("refund", "praise", "delivery"))
    baseline.fit(ENGLISH, TOPICS)
    assert np.all(baseline.predict(ENGLISH)[:, 1] == 0)
    single = TfidfBaseline(("refund", "praise"))
    single.fit(["give it back"], ["refund"])
    assert single.predict(["x"]).tolist() == [[1.0, 0.0]]


def test_many_rows_drop_rare_pieces_and_still_learn():
    generator = np.random.default_rng(1)
    words = np.array([f"word{i}" for i in range(500)])
    labels = generator.integers(0, 2, 1500)
    texts = [" ".join(generator.choice(words, 8)) + (" good" if label else " bad") for label in labels]
    baseline = TfidfBaseline((0, 1))
    baseline.fit(texts, labels.tolist())
    assert np.mean(baseline.predict(texts).argmax(axis=1) == labels) > 0.99


def test_labels_keep_their_json_type():
    baseline = MajorityBaseline((True, 1, "1"))
    baseline.fit(["a", "b", "c", "d"], [1, 1, "1", True])
    assert baseline.predict(["x"]).tolist() == [[0.25, 0.5, 0.25]]


@pytest.mark.parametrize("kind", [MajorityBaseline, TfidfBaseline])
def test_wrong_rows_are_refused(kind):
    with pytest.raises(UserError, match="no rows"):
        kind(LABELS).fit([], [])
    with pytest.raises(UserError, match="praise"):
        kind(LABELS).fit(["thanks"], ["praise"])


def test_no_texts_give_no_rows():
    baseline = TfidfBaseline(LABELS)
    baseline.fit(ENGLISH, TOPICS)
    assert baseline.predict([]).shape == (0, 2)
