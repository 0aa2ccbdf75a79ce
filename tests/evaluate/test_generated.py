"""Scores of generated texts and of likelihoods equal their definitions, on drawn texts of all scripts."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Outcome
from supertune.errors import UserError
from supertune.evaluate import METRICS, estimate, measure, metrics_for, paired_difference, row_scores
from supertune.language import units

PIECES = (
    "the ",
    "cat ",
    "sat ",
    "on ",
    "a ",
    "mat. ",
    "猫",
    "坐",
    "在",
    "垫子",
    "上",
    "，",
    "。",
    "😀",
    "👍🏽",
    "ＡＢ",
    "12 ",
)
PIECES += ("don't ", "Привет ", "мир! ", "\n", "  ", "naïve ", "ひらがな", "한국어 ", "3.14 ", "@ ")
HAN = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")


def drawn_text(random: np.random.Generator) -> str:
    pieces = (PIECES, PIECES[:6], PIECES[6:13], PIECES[13:15], ("",))[random.integers(5)]
    return "".join(pieces[index] for index in random.integers(0, len(pieces), random.integers(0, 14)))


def drawn_outcome(random: np.random.Generator, rows: int) -> Outcome:
    targets = np.empty(rows, object)
    outputs = np.empty(rows, object)
    for row in range(rows):
        targets[row] = tuple(drawn_text(random) for _ in range(random.integers(1, 4)))
        outputs[row] = targets[row][0] if random.random() < 0.2 else drawn_text(random)
    ended = np.array([("stop", "string", "length")[index] for index in random.integers(0, 3, rows)], object)
    return Outcome(targets, outputs, answers="generated", ended=ended)


def said(text: str) -> list[str]:
    """The units of a text, found character by character."""
    found: list[str] = []
    word = ""
    folded = unicodedata.normalize("NFKC", text).casefold()
    for place, character in enumerate(folded):
        single = bool(HAN.match(character))
        behind = folded[place + 1 : place + 2]
        inside = character in "'’" and word and behind.isalnum() and not HAN.match(behind)
        if (character.isalnum() and not single) or inside:
            word += character
            continue
        if word:
            found.append(word)
            word = ""
        if not character.isspace():
            found.append(character)
    return [*found, word] if word else found


def grams(text: str, length: int) -> list[tuple[str, ...]]:
    own = said(text)
    return [tuple(own[start : start + length]) for start in range(len(own) - length + 1)]


def by_definition(outcome: Outcome) -> dict[str, float | None]:
    pairs = list(zip(outcome.targets, outcome.outputs, strict=True))
    nearest = []
    for references, text in pairs:
        sizes = sorted(len(said(reference)) for reference in references)
        nearest.append(min(sizes, key=lambda size: abs(size - len(said(text)))))
    repeated = []
    for _, text in pairs:
        own = grams(text, 4)
        repeated.append(1 - len(set(own)) / len(own) if own else 0.0)
    found: dict[str, float | None] = {
        "length_ratio": sum(len(said(text)) for _, text in pairs) / sum(nearest) if sum(nearest) else None,
        "repetition": sum(repeated) / len(pairs),
        "empty": sum(not text.strip() for _, text in pairs) / len(pairs),
        "run_on": list(outcome.ended if outcome.ended is not None else ()).count("length") / len(pairs),
    }
    for length in (1, 2):
        every = [gram for _, text in pairs for gram in grams(text, length)]
        found[f"distinct{length}"] = len(set(every)) / len(every) if every else None
    return found


def test_units_are_words_characters_and_signs_of_every_script() -> None:
    random = np.random.default_rng(0)
    for _ in range(1000):
        text = drawn_text(random)
        assert units(text) == said(text), text
    assert units("The cat's 3.14，猫ＡＢ在iPhone上👍🏽!") == [
        *("the", "cat's", "3", ".", "14", ",", "猫", "ab", "在", "iphone", "上", "👍", "🏽", "!")
    ]
    assert units("हिन्दी में नहीं") == ["हिन्दी", "में", "नहीं"]


def test_scores_of_generated_texts_equal_their_definitions() -> None:
    random = np.random.default_rng(1)
    for case in range(1000):
        outcome = drawn_outcome(random, int(random.integers(1, 9)))
        for name, wanted in by_definition(outcome).items():
            if wanted is None:
                assert name in measure(outcome, [name], resamples=20).undefined
                with pytest.raises(UserError):
                    estimate(outcome, name)
            else:
                found = measure(outcome, [name], resamples=20).scores[name] if case % 10 == 0 else None
                value = estimate(outcome, name) if found is None else found.value
                assert value == pytest.approx(wanted, abs=1e-12), (name, outcome)
                if found is not None:
                    assert found.low <= found.value <= found.high
                    assert found.n == len(outcome)


def test_a_loop_in_chinese_counts_as_one_in_english() -> None:
    for loop in ("go on and ", "一直走啊"):
        text = np.array([loop * 8, "猫坐在垫子上。" if loop[0] == "一" else "the cat sat on the red mat"], object)
        targets = np.empty(2, object)
        targets[:] = [("x",), ("x",)]
        outcome = Outcome(targets, text, answers="generated", ended=np.array(["length", "stop"], object))
        size = len(units(loop)) * 8 - 3
        assert estimate(outcome, "repetition") == pytest.approx((1 - len(units(loop)) / size) / 2)
        assert estimate(outcome, "run_on") == 0.5


def texts(rows: Sequence[tuple[str, str]], **more: object) -> Outcome:
    targets, outputs = np.empty(len(rows), object), np.empty(len(rows), object)
    for row, (reference, text) in enumerate(rows):
        targets[row], outputs[row] = (reference,), text
    return Outcome(targets, outputs, answers="generated", **more)  # type: ignore[arg-type]


def test_what_texts_were_measured_by_before_is_measured_alike() -> None:
    random = np.random.default_rng(2)
    outcome = drawn_outcome(random, 60)
    for kind in ("texts", "answers"):
        same = Outcome(outcome.targets, outcome.outputs, answers=kind)
        for name in metrics_for(kind):
            assert estimate(outcome, name) == pytest.approx(estimate(same, name), abs=0)
            assert METRICS["generated"][name].higher_is_better == METRICS[kind][name].higher_is_better


def test_each_row_has_the_score_that_it_has_alone() -> None:
    rows = [("the cat sat on the mat", "the cat sat on a mat"), ("猫坐在垫子上", "猫在上"), ("x", "")]
    outcome = texts(rows)
    wanted = [sacrebleu.sentence_chrf(text, [reference]).score / 100 for reference, text in rows]
    assert row_scores(outcome, "chrf") == pytest.approx(wanted)
    assert row_scores(outcome, "rougeL")[2] == 0
    assert row_scores(outcome, "rougeL").mean() == pytest.approx(estimate(outcome, "rougeL"))


def test_how_texts_ended_goes_with_their_rows_and_may_be_unknown() -> None:
    outcome = texts([("a", "b"), ("c", "d"), ("e", "")], ended=np.array(["stop", "length", "string"], object))
    assert estimate(outcome.take(np.array([1])), "run_on") == 1
    assert estimate(outcome.take(np.array([True, False, True])), "run_on") == 0
    measured = measure(texts([("a", "b")]), ["run_on", "empty"])
    assert "run_on" in measured.undefined
    assert measured.scores["empty"].value == 0
    with pytest.raises(UserError, match="1 of 2 texts"):
        measure(texts([("a", "b"), ("c", "d")], ended=np.array(["stop"], object)), ["empty"])


def test_every_number_of_hostile_rows_is_finite_and_inside_its_interval() -> None:
    for rows in ([("", "")], [("猫", "")] * 3, [("", "😀")], [("a", "a" * 5000)], [("的", "的 " * 300)] * 25):
        outcome = texts(rows, ended=np.array(["length"] * len(rows), object))
        measured = measure(outcome, metrics_for("generated"), resamples=50)
        assert set(measured.scores) | set(measured.undefined) == set(metrics_for("generated"))
        for score in measured.scores.values():
            assert math.isfinite(score.value)
            assert score.low <= score.value <= score.high


# ---------------------------------------------------------------- likelihoods


def likelihoods(random: np.random.Generator, rows: int, level: float = 2.0) -> Outcome:
    tokens = random.integers(1, 60, rows)
    characters = np.maximum(tokens * random.integers(1, 5, rows) - 1, 0)
    # Some texts are harder than others for all their tokens.
    losses = tokens * random.gamma(4.0, level / 4.0, rows)
    return Outcome(np.stack([tokens, characters], axis=1), losses, answers="likelihoods")


def test_losses_are_ratios_of_sums_over_all_rows() -> None:
    random = np.random.default_rng(3)
    for _ in range(1000):
        outcome = likelihoods(random, int(random.integers(1, 30)))
        total, tokens, characters = outcome.outputs.sum(), *outcome.targets.sum(axis=0)
        assert estimate(outcome, "loss_per_token") == pytest.approx(total / tokens)
        assert estimate(outcome, "perplexity") == pytest.approx(math.exp(total / tokens))
        if characters:
            assert estimate(outcome, "bits_per_character") == pytest.approx(total / math.log(2) / characters)
    found = measure(outcome, metrics_for("likelihoods")).scores
    assert not any(METRICS["likelihoods"][name].higher_is_better for name in found)
    # One is a function of the other, and so are the ends of their intervals.
    loss, perplexity = found["loss_per_token"], found["perplexity"]
    for end in ("value", "low", "high"):
        assert getattr(perplexity, end) == pytest.approx(math.exp(getattr(loss, end)), rel=1e-6)
    assert "nats|per:token" in loss.signature


def test_the_loss_does_not_change_with_how_rows_are_cut() -> None:
    outcome = likelihoods(np.random.default_rng(4), 40)
    halves = [outcome.take(np.arange(40) % 2 == side) for side in (0, 1)]
    sums = np.array([half.outputs.sum() for half in halves]), np.array([half.targets.sum(axis=0) for half in halves])
    together = Outcome(sums[1], sums[0], answers="likelihoods")
    for name in metrics_for("likelihoods"):
        assert estimate(together, name) == pytest.approx(estimate(outcome, name))


def test_intervals_of_losses_hold_the_truth_and_see_that_texts_differ() -> None:
    random = np.random.default_rng(5)
    truth, hits = 2.0, Counter[str]()
    for _ in range(200):
        found = measure(likelihoods(random, 200), ["loss_per_token", "perplexity"], resamples=400).scores
        hits["loss"] += found["loss_per_token"].low <= truth <= found["loss_per_token"].high
        hits["perplexity"] += found["perplexity"].low <= math.exp(truth) <= found["perplexity"].high
    assert min(hits.values()) >= 180, hits


def test_the_better_of_two_models_is_told_on_the_same_rows() -> None:
    random = np.random.default_rng(6)
    better = likelihoods(random, 300)
    worse = Outcome(better.targets, better.outputs * random.uniform(1.0, 1.3, 300), answers="likelihoods")
    for name in metrics_for("likelihoods"):
        difference = paired_difference(better, worse, name, resamples=300)
        assert difference.value == pytest.approx(estimate(better, name) - estimate(worse, name))
        assert difference.low < difference.value < difference.high < 0
    english = [(f"the cat {row} sat on the mat", "the cat sat") for row in range(80)]
    some = texts(english, ended=np.array(["stop", "length"] * 40, object))
    other = texts(
        [(reference, f"{text} on and on and on and on and on") for reference, text in english],
        ended=np.array(["length"] * 80, object),
    )
    for name in metrics_for("generated"):
        found = paired_difference(some, other, name, resamples=100)
        assert found.value == pytest.approx(estimate(some, name) - estimate(other, name)), name
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("targets", "outputs", "wrong"),
    [
        (np.zeros((0, 2), np.int64), np.zeros(0), "no rows"),
        (np.array([[3, 4], [0, 1]]), np.ones(2), "row 1 has no tokens"),
        (np.array([[3, 4], [2, 1]]), np.array([1.0, np.nan]), "row 1 is not a number"),
        (np.array([3, 4]), np.ones(2), "shape"),
    ],
)
def test_likelihoods_that_are_none_are_refused(targets: object, outputs: object, wrong: str) -> None:
    outcome = Outcome(np.asarray(targets), np.asarray(outputs), answers="likelihoods")
    with pytest.raises(UserError, match=wrong):
        measure(outcome, metrics_for("likelihoods"))


@given(st.lists(st.text(alphabet="ab 猫", max_size=8), min_size=2, max_size=8))
def test_what_rows_add_to_distinct_has_the_whole_as_its_mean(said_texts: list[str]) -> None:
    outcome = texts([("x", text) for text in said_texts])
    if any(units(text) for text in said_texts):
        rows = METRICS["generated"]["distinct1"].from_rows
        assert rows is not None
        every = [unit for text in said_texts for unit in units(text)]
        assert rows(outcome).mean() == pytest.approx(len(set(every)) / len(every))
