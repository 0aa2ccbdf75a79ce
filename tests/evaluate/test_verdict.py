"""The verdict says what the numbers say, in both languages, and no more."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from supertune.contracts import Score
from supertune.errors import UserError
from supertune.evaluate import metrics_for, paired_difference, score, verdict

CLASS_METRICS = list(metrics_for("classes"))


def scored(value: float, low: float, high: float, n: int = 200, name: str = "accuracy") -> Score:
    return Score(value, low, high, n, f"{name}|interval:wilson|n:{n}|supertune-1")


def write(*, accuracy=(0.86, 0.8, 0.91), difference=(0.041, 0.019, 0.063), n=200, language="en", **changes) -> str:
    scores = {
        "accuracy": scored(*accuracy, n),
        "f1_macro": scored(accuracy[0], accuracy[1], accuracy[2], n, "f1_macro"),
        "f1/refund": scored(0.6, 0.4, 0.77, 30, "f1"),
        "f1/delivery": scored(0.9, 0.85, 0.95, 170, "f1"),
        "ece": scored(0.02, 0.0, 0.04, n, "ece"),
    } | changes.get("scores", {})
    baselines = {
        "majority": {"accuracy": scored(*changes.get("majority", (0.5, 0.4, 0.6)), n)},
        "tfidf": {"accuracy": scored(0.82, 0.76, 0.87, n)},
    }
    return verdict(
        scores,
        baselines,
        scored(*difference, n, "difference:f1_macro"),
        n_test=n,
        test_counts=changes.get("test_counts", {"refund": 30, "delivery": 170}),
        train_counts={"refund": 240, "delivery": 1360},
        language=language,
    )


def sentences(text: str, language: str) -> int:
    return len(re.findall("。" if language == "zh" else r"\.(?= |$)", text))


def test_a_good_model_is_described_in_numbers():
    said = write()
    assert "Out of 100 texts like these, expect 86 right" in said
    assert "below 80 or above 91" in said
    assert "200 test rows" in said
    assert "gets 82" in said
    assert "4.1 points" in said
    assert "+1.9 and +6.3" in said
    assert "luck alone would rarely" in said
    assert "“refund”, with an F1 of 60 % (40 to 77 %) on 30 test rows." in said
    assert "2.0 points (0.0 to 4.0) away" in said
    assert said.endswith("more labelled rows for “refund” (there are 240 training rows of it now).")


def test_chinese_says_the_same_numbers():
    said = write(language="zh")
    for part in (
        "86 条",
        "低于 80 条或高于 91 条",
        "4.1 个百分点",
        "+1.9 至 +6.3",
        "“refund”",
        "60%",
        "240 条训练数据",
    ):
        assert part in said
    assert not re.search(r"[,;] |\. ", said), "full-width punctuation only"


@pytest.mark.parametrize(
    ("changes", "english", "chinese"),
    [
        ({"difference": (-0.05, -0.08, -0.02)}, "use TF-IDF, which is better here", "它在这里更好"),
        ({"difference": (0.02, -0.01, 0.05)}, "until more test rows show", "更多测试数据证明"),
        ({"difference": (0.001, -0.004, 0.006)}, "use TF-IDF, which is within 1 point", "差距不到 1 个百分点"),
        ({"accuracy": (0.8, 0.6, 0.9), "n": 20}, "more test rows, because with 20 rows", "增加测试数据"),
        (
            {"scores": {"f1/refund": scored(0.85, 0.7, 0.9)}},
            "look at the worst errors in the report first",
            "先查看报告中最严重的错误",
        ),
    ],
    ids=["worse", "unproven", "as good", "tiny", "even"],
)
def test_the_advice_fits_what_was_found(changes, english, chinese):
    assert english in write(**changes)
    assert chinese in write(**changes, language="zh")


def test_what_cannot_be_told_is_said():
    vague = write(accuracy=(0.71, 0.36, 0.92), n=7)
    assert "anything from 36 to 92 may be right" in vague
    assert "expect" not in vague
    assert "too few to tell" in write(test_counts={"refund": 4, "delivery": 196})
    assert "cannot tell whether it stays within 5 points" in write(scores={"ece": scored(0.03, 0.0, 0.09)})
    assert "do not read a confidence of 90 %" in write(scores={"ece": scored(0.12, 0.08, 0.2)})
    assert "does not show that the model knows more" in write(majority=(0.85, 0.8, 0.9))
    assert "could be luck" in write(difference=(0.02, -0.01, 0.05))


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        ((0.977, 0.969, 0.983), "Out of 1,000 texts like these, expect 977 right"),
        ((1.0, 0.94, 1.0), "expect 100 right, and it would be surprising if the truth were below 94;"),
        ((0.0, 0.0, 0.06), "expect 0 right, and it would be surprising if the truth were above 6;"),
    ],
)
def test_counts_fit_the_precision(accuracy, words):
    assert words in write(accuracy=accuracy)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("n", "k", "strength"), [(2, 2, 1.0), (60, 2, 8.0), (182, 6, 2.5), (3000, 3, 0.0)])
def test_any_measured_model_gets_four_to_seven_finite_sentences(draw_outcome, language, n, k, strength):
    generator = np.random.default_rng(3)
    model, rival = draw_outcome(generator, n, k, strength), draw_outcome(generator, n, k)
    rival = type(model)(model.targets, rival.outputs, model.labels)
    counts = Counter(model.labels[target] for target in model.targets)
    said = verdict(
        score(model, CLASS_METRICS, resamples=100),
        {"tfidf": score(rival, ["accuracy"])},
        paired_difference(model, rival, "f1_macro", resamples=100),
        n_test=n,
        test_counts={label: counts[label] for label in model.labels},
        language=language,
    )
    assert 4 <= sentences(said, language) <= 7
    assert "nan" not in said
    assert "\n" not in said


def test_accuracy_alone_is_enough_for_a_verdict():
    said = verdict({"accuracy": scored(0.9, 0.8, 0.95)}, {}, None, n_test=80, test_counts={"a": 40, "b": 40})
    assert said.startswith("Out of 100 texts")


def test_other_languages_are_refused():
    with pytest.raises(UserError, match="'fr'"):
        write(language="fr")
