"""How verdicts are told: numbers, standings and advice, and what holds of every kind's verdict in both languages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from string import Formatter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Outcome, Score
from supertune.errors import UserError
from supertune.evaluate import (
    verdict,
    verdict_on_answers,
    verdict_on_numbers,
    verdict_on_rankings,
    verdict_on_sets,
    verdict_on_spans,
    verdict_on_summaries,
    verdict_on_texts,
)
from supertune.evaluate.generated.verdict import WORDS as TEXTS
from supertune.evaluate.numbers.verdict import WORDS as NUMBERS
from supertune.evaluate.questions.verdict import WORDS as QUESTIONS
from supertune.evaluate.rankings.verdict import RIVALS
from supertune.evaluate.rankings.verdict import WORDS as RANKINGS
from supertune.evaluate.sets.verdict import WORDS as SETS
from supertune.evaluate.spans.verdict import WORDS as SPANS
from supertune.evaluate.summaries.verdict import WORDS as SUMMARIES
from supertune.evaluate.telling import Words, standing, teller, too_few, weakest_label
from supertune.evaluate.verdict import WORDS as CLASSES

LANGUAGES = ("en", "zh")
OWN: Words = {
    "en": {
        "score": "{n:,} {n:row|rows}: {score:.0%}.",
        "units": "{score:.1f points}.",
        "empty": "",
        "listed": "{rivals} beside.",
        "metric": "F1",
        "rival": "the rival",
        "simple": "the rival",
        "mine": "Mine: {thing}.",
    },
    "zh": {
        "score": "{n} 条：{score:.0%}。",
        "units": "{score:.1f 个百分点}。",
        "empty": "",
        "listed": "{rivals}也在。",
        "metric": " F1",
        "rival": "对手",
        "simple": "对手",
        "mine": "我的{thing}。",
    },
}


def score(value: float, low: float, high: float, n: int = 200) -> Score:
    return Score(value, low, high, n, "m")


AHEAD, BEHIND = score(0.04, 0.01, 0.07), score(-0.04, -0.07, -0.01)
OPEN, LEVEL = score(0.02, -0.01, 0.05), score(0.0001, -0.02, 0.02)


# ------------------------------------------------------------------------------------------------------------ numbers


def test_numbers_carry_their_intervals() -> None:
    english, chinese = (teller(OWN, language) for language in LANGUAGES)
    share = score(0.56, 0.48, 0.64)
    assert english("score", n=1234, score=share) == "1,234 rows: 56 % (48 to 64 %)."
    assert chinese("score", n=1234, score=share) == "1234 条：56%（48% 至 64%）。"
    assert english("score", n=1, score=score(0.5, 0.5, 0.5)) == "1 row: 50 %."
    assert english("score", n=0, score=score(-0.1, -0.2, 0.0)) == "0 rows: −10 % (−20 to 0 %)."
    assert english("units", score=score(2.0, 1.0, 3.0)) == "2.0 points (1.0 to 3.0)."
    assert chinese("units", score=score(2.0, 1.0, 3.0)) == "2.0 个百分点（1.0 至 3.0）。"


@pytest.mark.parametrize(
    ("value", "said"),
    [(1234.5, "1,230"), (12_345_678.0, "12,300,000"), (999.6, "1,000"), (0.4127, "0.413"), (-1234.5, "−1,230")],
)
def test_large_numbers_are_written_out(value: float, said: str) -> None:
    own = {"en": {"off": "{value:,.3g}"}, "zh": {"off": "{value:.3g}"}}
    assert teller(own, "en")("off", value=value) == said
    assert teller(own, "zh")("off", value=value) == said.replace(",", "")
    assert "e+" not in verdict_on_numbers({"mae": score(1e6, 9e5, 2e6)}, {}, None, ("price",))


# ----------------------------------------------------------------------------------------------------------- standing


@pytest.mark.parametrize(
    ("difference", "english", "chinese"),
    [
        (AHEAD, "In F1 the model is 4.0 points ahead of the rival (between +1.0 and +7.0 is plausible); luck alone",
         "按 F1，模型比对手高 4.0 个百分点（可能在 +1.0 至 +7.0 之间），仅凭运气"),
        (BEHIND, "is 4.0 points behind the rival (between −7.0 and −1.0 is",
         "比对手低 4.0 个百分点（可能在 −7.0 至 −1.0"),
        (OPEN, "differs from the rival by +2.0 points (between −1.0 and +5.0 is plausible), which could be luck.",
         "与对手相差 +2.0 个百分点（可能在 −1.0 至 +5.0 之间），有可能只是运气。"),
        (score(-0.02, -0.05, 0.01), "differs from the rival by −2.0 points", "相差 −2.0 个百分点"),
        (score(0.02, 0.0, 0.04), "differs from the rival by +2.0 points", "相差 +2.0 个百分点"),
        (score(0.5, 0.5, 0.5), "differs from the rival by +50.0 points; these rows give no interval, and it could be",
         "与对手相差 +50.0 个百分点；这些数据给不出区间，有可能只是运气。"),
        (LEVEL, "is level with the rival (between −2.0 and +2.0 is plausible).",
         "与对手持平（可能在 −2.0 至 +2.0 之间）。"),
    ],
)  # fmt: skip
def test_the_standing_is_told(difference: Score, english: str, chinese: str) -> None:
    for language, said in zip(LANGUAGES, (english, chinese), strict=True):
        tell = teller(OWN, language)
        assert said in tell.paragraph([tell.compared(difference)], "")


def test_differences_may_have_a_unit_of_their_own() -> None:
    tell = teller(OWN, "en")
    assert "is 0.040 ahead of" in tell.compared(AHEAD, decimals=3, points=False)
    assert "level" in tell.compared(score(0.004, -0.01, 0.02), points=False, decimals=2)
    assert tell.compared(None) == ""


@given(value=st.floats(-1, 1), width=st.floats(0, 1))
def test_nothing_is_proven_while_the_interval_holds_zero(value: float, width: float) -> None:
    low, high = value - width, value + width
    found = standing(score(value, low, high))
    assert (found == "unproven") == (low <= 0 <= high or low == high)
    assert found == "unproven" or (found == "ahead") == (value > 0)
    assert standing(None) == "unknown"


# ------------------------------------------------------------------------------------------------------------- advice


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_advice_is_the_first_that_applies(language: str) -> None:
    tell = teller(OWN, language)

    def advised(difference: Score | None, *, vague: bool = False, otherwise: str = "otherwise") -> str:
        return tell.advice(difference, vague=vague, otherwise=otherwise, thing="x")

    plain = [tell("too few"), tell("if behind"), tell("if unproven"), tell("otherwise"), tell("mine", thing="x")]
    assert len(set(plain)) == 5
    assert advised(BEHIND, vague=True) == advised(AHEAD, vague=True) == advised(None, vague=True) == plain[0]
    assert advised(BEHIND) == advised(BEHIND, otherwise="mine") == plain[1]
    assert advised(OPEN) == advised(OPEN, otherwise="mine") == plain[2]
    assert advised(AHEAD) == advised(None) == plain[3]
    assert advised(AHEAD, otherwise="mine") == advised(None, otherwise="mine") == plain[4]
    assert tell.advice(OPEN, vague=False, unproven="mine", thing="x") == plain[4]


def test_few_rows_and_wide_intervals_tell_too_little() -> None:
    assert too_few(score(0.5, 0.49, 0.51, n=29), width=0.2)
    assert not too_few(score(0.5, 0.49, 0.51, n=30), width=0.2)
    assert not too_few(score(0.5, 0.49, 0.51, n=2), width=0.2, rows=0)
    assert too_few(score(0.5, 0.3, 0.6, n=999), width=0.2)


def test_the_weakest_label_is_clearly_weak_and_has_rows() -> None:
    scores = {
        "f1_micro": score(0.8, 0.7, 0.9), "f1/a": score(0.6, 0.5, 0.7), "f1/b": score(0.1, 0, 0.9),
        "f1/c": score(0.75, 0, 1),
    }  # fmt: skip
    assert weakest_label(scores, {"a": 20, "b": 19, "c": 99, "d": 99}, fewest=20, gap=0.1) == "a"
    assert weakest_label(scores, {"b": 19, "c": 99}, fewest=20, gap=0.1) is None
    assert weakest_label({"f1/a": scores["f1/a"]}, {"a": 20}, fewest=20, gap=0.1) is None
    assert weakest_label({}, {}, fewest=20, gap=0.1) is None


# ---------------------------------------------------------------------------------------------------------- paragraph


def test_sentences_are_joined_as_the_language_joins_them() -> None:
    english, chinese = (teller(OWN, language) for language in LANGUAGES)
    assert english.paragraph(["one.", "", "two {n}."], "Three.") == "One. Two {n}. Three."
    assert chinese.paragraph(["一。", "", "二。"], "三。") == "一。二。三。"
    assert english.paragraph([english("listed", rivals=english.listed(["a", "b"]))], "") == "A and b beside."
    assert chinese("listed", rivals=chinese.listed(["甲", "乙"])) == "甲，乙也在。"


def test_other_languages_are_refused() -> None:
    with pytest.raises(UserError, match="'fr'") as refused:
        teller(OWN, "fr")
    assert "en or zh" in str(refused.value)


# ----------------------------------------------------------------------------------------------------------- all kinds


@pytest.mark.parametrize(
    "words",
    [CLASSES, NUMBERS, QUESTIONS, RANKINGS, SETS, SPANS, SUMMARIES, TEXTS, *RIVALS.values()],
    ids=["classes", "numbers", "questions", "rankings", "sets", "spans", "summaries", "texts", *RIVALS],
)
def test_both_languages_have_the_same_phrases_with_the_same_values(words: Words) -> None:
    english, chinese = (words[language] for language in LANGUAGES)
    assert set(words) == set(LANGUAGES)
    assert english.keys() == chinese.keys()
    for name in english:
        fields = [{field for _, field, _, _ in Formatter().parse(own[name]) if field} for own in (english, chinese)]
        # What English says by another word Chinese need not say at all.
        assert fields[0] - {"rows"} == fields[1] - {"rows"}, name


Told = Callable[[float, float, int, Score | None, str, str], str]


def near(value: float, width: float, n: int) -> Score:
    return score(value, max(0.0, value - width), min(1.0, value + width), n)


def on_classes(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
    scores = {"accuracy": near(value, width, n), "ece": near(0.05, width / 4, n), "f1/退款": near(value / 2, width, n)}
    scores |= {"f1_macro": near(value, width, n), "f1/b": near(value, width, n)}
    rivals = {name: {"accuracy": near(0.5, width, n)} for name in ("majority", "tfidf")} if difference else {}
    return verdict(
        scores, rivals, difference, n_test=n, test_counts={"退款": n // 2 + 1, "b": n}, train_counts={"退款": n // 9},
        language=language, split=split,
    )  # fmt: skip


def on_numbers(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
    columns = ("x",) if n % 2 else ("x", "y")
    keys = [""] if n % 2 else ["/x", "/y"]
    scores = {f"mae{key}": score(3210 * value, 3210 * (value - width / 3), 3210 * (value + width), n) for key in keys}
    scores |= {f"r2{key}": score(value, value - width, value + width, n) for key in keys}
    rivals = {name: {key: near(0.5, width, n) for key in scores} for name in ("mean", "tfidf")} if difference else {}
    return verdict_on_numbers(scores, rivals, difference, columns, language=language, split=split)


def of_labels(value: float, width: float, n: int) -> dict[str, Score]:
    names = ("subset_accuracy", "f1_micro", "precision_micro", "recall_micro", "f1/b")
    return {name: near(value, width, n) for name in names} | {"f1/退款": near(value / 2, width, n)}


def on_sets(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
    rivals = {name: of_labels(0.5, width, n) for name in ("majority", "tfidf")} if difference else {}
    counts = {"退款": n // 2, "b": n}
    return verdict_on_sets(
        of_labels(value, width, n), rivals, difference, test_counts=counts, train_counts=counts, language=language,
        split=split,
    )  # fmt: skip


def on_spans(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
    rivals = {"dictionary": of_labels(0.5, width, n)} if difference else {}
    counts, found = {"退款": n // 2, "b": n}, of_labels(value, width, n) if value else {}
    return verdict_on_spans(
        found, rivals, difference, test_counts=counts, train_counts=counts, new=(n // 3, n), language=language,
        split=split,
    )  # fmt: skip


def on_answers(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
    targets, outputs = np.empty(4, object), np.empty(4, object)
    targets[:], outputs[:] = [("a",), (), ("b",), ()] if n % 2 else [("a",)] * 4, ["a", "x", "", ""]
    scores = {"f1": near(value, width, n), "exact_match": near(value / 2, width, n)}
    rivals = {"sentence": {"f1": near(0.5, width, n)}} if difference else {}
    outcome = Outcome(targets, outputs, answers="answers")
    return verdict_on_answers(scores, rivals, difference, outcome, "f1", language=language, split=split)


def on_rankings(rival: str) -> Told:
    def told(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
        scores = {"mrr": near(value, width, n), "recall@1": near(value / 2, width, n)}
        rivals = {"bm25": {"mrr": near(0.5, width, n)}} if difference else {}
        return verdict_on_rankings(scores, rivals, difference, rival=rival, language=language, split=split)

    return told


def on_summaries(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
    others: Mapping[str, float] = {"lead": 0.4, "textrank": 0.3, "oracle": 0.6}
    rivals = {name: {"rouge1": near(other, width, n)} for name, other in others.items()} if difference else {}
    return verdict_on_summaries({"rouge1": near(value, width, n)}, rivals, difference, language=language, split=split)


def on_texts(metric: str) -> Told:
    def told(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
        scores = {name: near(value, width, n) for name in (metric, "exact_match")}
        scores |= {"bits_per_character": score(1.5, 1.4, 1.6, n), "run_on": near(value / 3, width, n)}
        scores |= {"empty": near(width, width, n)}
        rivals = {"untrained": {"bits_per_character": score(2.5, 2.4, 2.6, n)}} if difference else {}
        lost = {"general_en": score(width, width / 2, 2 * width, n)}
        return verdict_on_texts(
            scores, rivals, difference, metric=metric, rival="few_shot", forgotten=lost, language=language, split=split
        )

    return told


def on_plain_texts(value: float, width: float, n: int, difference: Score | None, language: str, split: str) -> str:
    """Fewer bits are better: what is ahead has less."""
    less = None if difference is None else score(-difference.value, -difference.high, -difference.low)
    bits = {"bits_per_character": score(1 + value, 1 + value - width, 1 + value + width, n)}
    return verdict_on_texts(
        bits, {"untrained": bits} if less else {}, less, metric="bits_per_character", rival="untrained",
        language=language, split=split,
    )  # fmt: skip


KINDS: Mapping[str, Told] = {
    "classes": on_classes, "numbers": on_numbers, "sets": on_sets, "spans": on_spans, "answers": on_answers,
    "retrieval": on_rankings("untrained"), "rerank": on_rankings("bm25"), "summaries": on_summaries,
    "written": on_texts("chrf"), "written summaries": on_texts("rouge1"), "written answers": on_texts("f1_cmrc"),
    "plain texts": on_plain_texts,
}  # fmt: skip


@pytest.mark.parametrize(("language", "advised"), [("en", "let answers become longer"), ("zh", "允许更长的回答")])
def test_of_texts_that_do_not_end_it_is_told_however_few_there_are(language: str, advised: str) -> None:
    scores = {"chrf": score(0.12, 0.1, 0.13, 6), "run_on": score(1.0, 0.6, 1.0, 6), "empty": score(0.0, 0.0, 0.4, 6)}
    ahead = score(0.015, 0.001, 0.025, 6)
    told = verdict_on_texts(scores, {}, ahead, metric="chrf", rival="few_shot", language=language)
    assert advised in told


CHINESE = "[一-鿿]"
MARK = "[，。：；、（）“”]"
SCORES = st.tuples(st.floats(0, 1), st.floats(0, 0.3), st.integers(1, 20_000))
DIFFERENCES = st.none() | st.tuples(st.floats(-0.5, 0.5), st.floats(0, 0.3))


def tell_all(
    kind: str, found: tuple[float, float, int], move: tuple[float, float] | None, split: str = "test"
) -> list[str]:
    difference = None if move is None else score(move[0], move[0] - move[1], move[0] + move[1])
    return [KINDS[kind](*found, difference, language, split) for language in LANGUAGES]


def numbers_in(text: str) -> Counter[str]:
    """Numbers, without those in names such as ROUGE-1 and in set phrases of one language."""
    for phrase in ("9 right out of 10", "1 ÷ rank", ","):
        text = text.replace(phrase, "")
    return Counter(re.findall(r"(?<![A-Za-z\d.-])[+−]?\d+(?:\.\d+)?", text))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=80, deadline=None)
@given(found=SCORES, move=DIFFERENCES)
def test_no_kind_says_more_than_was_measured(
    kind: str, found: tuple[float, float, int], move: tuple[float, float] | None
) -> None:
    english, chinese = tell_all(kind, found, move)
    low, high = (0.0, 0.0) if move is None else (move[0] - move[1], move[0] + move[1])
    proven = low < high and not low <= 0 <= high
    for text, words in ((english, ("ahead", "behind")), (chinese, ("高 ", "低 "))):
        if move is None or not proven:
            assert not re.search(r"\bahead\b|\bbehind\b|rarely|比[^，。]*[高低] |很少", text), text
        elif abs(move[0]) > 0.01:
            assert words[move[0] < 0] in text
            assert words[move[0] > 0] not in text
    unproven = move is not None and not proven and abs(move[0]) > 0.01
    assert ("could be luck" in english) == ("可能只是运气" in chinese)
    assert not unproven or "could be luck" in english


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=80, deadline=None)
@given(found=SCORES, move=DIFFERENCES, split=st.sampled_from(["test", "validation"]))
def test_every_verdict_is_written_as_its_language_is(
    kind: str, found: tuple[float, float, int], move: tuple[float, float] | None, split: str
) -> None:
    english, chinese = tell_all(kind, found, move, split)
    for text in (english, chinese):
        assert not re.search(r"[{}\n]|nan|None|  |e\+|(?<![A-Z])-\d", text), text
        assert text.strip() == text
    own = english.replace("退款", "refund")
    assert not re.search(f"{CHINESE}|{MARK.replace('“”', '')}", own)
    assert all(sentence[0].isupper() or sentence[0].isdigit() for sentence in re.split(r"(?<=[a-z)%.]\.) ", own))
    assert own.endswith(".")
    assert not re.search(r"(?<![\d,.])1 ((test|validation|training) )?(rows|queries|questions|documents|ones)\b", own)
    assert not re.search(r"there are 1 |there is (?!1 )", own)
    assert not re.search(rf"{CHINESE}[ ,.;:!?()]+({CHINESE}|{MARK})|{MARK} | {MARK}", chinese), chinese
    assert not re.search(rf"{CHINESE}[A-Za-z\d+−]|[A-Za-z\d]{CHINESE}", chinese), chinese
    assert chinese.endswith("。")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=80, deadline=None)
@given(found=SCORES, move=DIFFERENCES)
def test_both_languages_tell_the_same_numbers(
    kind: str, found: tuple[float, float, int], move: tuple[float, float] | None
) -> None:
    english, chinese = tell_all(kind, found, move)
    assert numbers_in(english) == numbers_in(chinese), (english, chinese)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_helped_to_choose_the_model_are_called_by_their_name(kind: str) -> None:
    for found in ((0.8, 0.01, 3001), (0.3, 0.2, 12), (0.0, 0.01, 400)):
        english, chinese = tell_all(kind, found, None, "validation")
        assert "There were no test rows: validation rows also help to choose the model" in english
        assert "没有测试数据：验证数据也用来挑选模型" in chinese
        assert "never saw" not in english
        assert "从未见过" not in chinese
        assert english.count("test ") == 1 + english.count("This test does not") + english.count("this test does not")
        plain = tell_all(kind, found, None)
        assert "validation" not in plain[0]
        assert "验证" not in plain[1]
