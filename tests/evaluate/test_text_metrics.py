"""Metrics of texts equal their references: SQuAD's and CMRC's rules, rouge-score and sacreBLEU."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import nltk
import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import binomtest

from supertune.contracts import FloatArray, Outcome
from supertune.errors import UserError
from supertune.evaluate import METRICS, estimate, measure, metrics_for, paired_difference
from supertune.evaluate.texts import rouge
from supertune.language import characters_and_words, is_chinese, words

SENTENCE = (
    "the a an The AN cat Cats can't don't U.S. 3.14 1,000 Dr. well-known end. (yes) [no] \"so\" it's gonna wanna cannot"
    " e.g. x=y 50% $5 café naïve then theatre ” “ ‘ ’ … A.I. ... -- 'tis B&B"
)
ENGLISH = (*SENTENCE.split(), "\t", "\n")
CHINESE = tuple("我们在北京的大学里学习一二三，。：？！“”；’《》·、「」（）－～『』…—鿀㐀𠀀々〇")
OTHER = (
    "😀",
    "👍🏽",
    "ＡＢＣ",
    "１２３",
    "ａ",
    "　",
    "２０１８",
    "2018",
    "iPhone",
    "GPT-4",
    "",
    "é",
    "Ω",
    "한국",
    "のに",
    "*",
    "_",
    "^",
)
PUNCTUATION = tuple(string.punctuation)


def words_drawn(random: np.random.Generator, pieces: Sequence[str], most: int, gap: str | None = None) -> str:
    chosen = [pieces[index] for index in random.integers(0, len(pieces), random.integers(0, most + 1))]
    if gap is not None:
        return gap.join(chosen)
    return "".join(piece + (" " if random.random() < 0.5 else "") for piece in chosen)


def drawn_text(random: np.random.Generator) -> str:
    kinds = (
        (*ENGLISH, *PUNCTUATION),
        CHINESE,
        (*ENGLISH, *CHINESE, *OTHER, *PUNCTUATION),
        OTHER,
        ("the", "cat", "a", "大", "学"),
    )
    return words_drawn(random, kinds[random.integers(len(kinds))], 8)


def drawn_case(random: np.random.Generator, least: int) -> tuple[tuple[str, ...], str]:
    """References and an answer: something else, one of them, or a piece of one with something else beside it."""
    references = tuple(drawn_text(random) for _ in range(random.integers(least, 4)))
    answer = drawn_text(random)
    if references and random.random() < 0.6:
        one = references[random.integers(len(references))]
        start, stop = sorted(random.integers(0, len(one) + 1, 2))
        answer = (
            one.swapcase() if random.random() < 0.3 else one[start:stop] + (answer if random.random() < 0.5 else "")
        )
    return references, answer


def outcome(cases: Sequence[tuple[tuple[str, ...], str]], answers: str) -> Outcome:
    references, texts = zip(*cases, strict=True)
    count = len(cases)
    return Outcome(np.fromiter(references, object, count), np.fromiter(texts, object, count), answers=answers)


def metric_rows(answered: Outcome, name: str) -> FloatArray:
    entry = METRICS[answered.answers][name]
    assert entry.from_rows is not None
    return entry.from_rows(answered)


# ---------------------------------------------------------------- answers to questions


def squad_normal(text: str) -> str:
    kept = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def squad(references: tuple[str, ...], answer: str) -> tuple[float, float]:
    """Exact match and F1 as the evaluation script of SQuAD 2.0 has them, written from its rules."""
    gold = [reference for reference in references if squad_normal(reference)] or [""]
    exact, f1 = 0.0, 0.0
    for reference in gold:
        exact = max(exact, float(squad_normal(reference) == squad_normal(answer)))
        wanted, given = squad_normal(reference).split(), squad_normal(answer).split()
        if not wanted or not given:
            f1 = max(f1, float(wanted == given))
            continue
        same = sum((Counter(wanted) & Counter(given)).values())
        if same:
            precision, recall = same / len(given), same / len(wanted)
            f1 = max(f1, 2 * precision * recall / (precision + recall))
    return exact, f1


CMRC_MARKS = ["……", *"-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"]


def cmrc_segments(text: str) -> list[str]:
    segments: list[str] = []
    run = ""
    for character in text.lower().strip():
        if character in CMRC_MARKS:
            continue
        if re.match("[\u4e00-\u9fa5]", character):
            segments += [*nltk.word_tokenize(run, preserve_line=True), character]
            run = ""
        else:
            run += character
    return segments + nltk.word_tokenize(run, preserve_line=True)


def longest_run(one: list[str], two: list[str]) -> int:
    best, before = 0, [0] * (len(two) + 1)
    for token in one:
        row = [0] * (len(two) + 1)
        for column, other in enumerate(two, 1):
            row[column] = before[column - 1] + 1 if token == other else 0
        best, before = max(best, *row), row
    return best


def cmrc(references: tuple[str, ...], answer: str) -> tuple[float, float]:
    """Exact match and F1 as the evaluation script of CMRC 2018 has them, written from its rules."""

    def bare(text: str) -> str:
        return "".join(character for character in text.lower().strip() if character not in CMRC_MARKS)

    exact = float(any(bare(reference) == bare(answer) for reference in references))
    given = cmrc_segments(answer)
    values = []
    for reference in references:
        wanted = cmrc_segments(reference)
        length = longest_run(wanted, given)
        if length:
            precision, recall = length / len(given), length / len(wanted)
            values.append(2 * precision * recall / (precision + recall))
        else:
            values.append(0.0)
    return exact, max(values)


@pytest.mark.parametrize("count", [1000, pytest.param(5000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("judge", "suffix", "least"), [(squad, "", 0), (cmrc, "_cmrc", 1)])
def test_random_answers_are_judged_as_by_the_scripts(
    judge: Callable[[tuple[str, ...], str], tuple[float, float]], suffix: str, least: int, count: int
) -> None:
    random = np.random.default_rng(0)
    cases = [drawn_case(random, least) for _ in range(count)]
    wanted = np.array([judge(*case) for case in cases])
    answered = outcome(cases, "answers")
    for column, name in enumerate(("exact_match", "f1")):
        rows = metric_rows(answered, name + suffix)
        differing = np.flatnonzero(rows != wanted[:, column])
        assert not len(differing), [(cases[row], rows[row], wanted[row]) for row in differing[:3]]
    # Not all alike, or nothing would be compared.
    assert 0.05 < wanted[:, 0].mean() < wanted[:, 1].mean() < 0.95
    assert ((wanted[:, 1] > 0) & (wanted[:, 1] < 1)).mean() > 0.08


# ---------------------------------------------------------------- overlap


def drawn_lines(random: np.random.Generator, pieces: Sequence[str]) -> str:
    return "\n".join(words_drawn(random, pieces, 12) for _ in range(random.integers(1, 4)))


def test_rouge_of_spaced_texts_is_that_of_the_package() -> None:
    random = np.random.default_rng(1)
    names = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    package = RougeScorer(names)
    pieces = (
        *"abcde",
        "the",
        "Cat",
        "dog's",
        "3.14",
        "Ünïcode",
        "한국",
        "😀",
        "İ",
        "ß",
        "Привет",
        "ſK",
        *PUNCTUATION[:6],
    )
    cases = [
        (tuple(drawn_lines(random, pieces) for _ in range(random.integers(1, 4))), drawn_lines(random, pieces))
        for _ in range(1500)
    ]
    texts = outcome(cases, "texts")
    wanted = [package.score_multi(list(references), answer) for references, answer in cases]
    for name in names:
        np.testing.assert_allclose(
            metric_rows(texts, name), [score[name].fmeasure for score in wanted], rtol=0, atol=1e-12
        )
    assert len({score["rougeLsum"].fmeasure - score["rougeL"].fmeasure for score in wanted}) > 100


class Characters:
    """What the package needs to be told to take other tokens."""

    def __init__(self, tokens: Callable[[str], list[str]]) -> None:
        self.tokenize = tokens


@pytest.mark.parametrize("chinese_words", [False, True])
def test_rouge_of_chinese_is_that_of_the_package_with_characters_or_words_for_tokens(chinese_words: bool) -> None:
    random = np.random.default_rng(2)
    names = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    package = RougeScorer(names, tokenizer=Characters(words if chinese_words else characters_and_words))
    pieces = ("我们", "在", "北京大学", "学习", "GPT-4", "模型", "２０２４", "，", "。", "年", " the ")
    cases = [((drawn_lines(random, pieces),), drawn_lines(random, pieces)) for _ in range(300)]
    texts = outcome(cases, "texts")
    for name in names:
        entry = rouge(name, chinese_words=chinese_words)
        assert entry.from_rows is not None
        wanted = [package.score(references[0], answer)[name].fmeasure for references, answer in cases]
        np.testing.assert_allclose(entry.from_rows(texts), wanted, rtol=0, atol=1e-12)
        assert np.mean(wanted) > 0.05


def test_chinese_rouge_by_hand() -> None:
    texts = outcome([(("今天天气很好",), "今天天气不好！"), (("我用iPhone 15",), "我 用 IPHONE 15。")], "texts")
    np.testing.assert_allclose(metric_rows(texts, "rouge1"), [5 / 6, 1])
    np.testing.assert_allclose(metric_rows(texts, "rouge2"), [3 / 5, 1])
    np.testing.assert_allclose(metric_rows(texts, "rougeL"), [5 / 6, 1])
    (weather,) = measure(texts.take(np.array([0])), ["rouge1"]).scores.values()
    assert "chinese:characters" in weather.signature


def test_where_no_reference_has_a_token_there_is_no_rouge_and_it_says_why() -> None:
    texts = outcome([(("Привет, мир",), "Привет")], "texts")
    assert "Latin letters" in measure(texts, ["rouge1"]).undefined["rouge1"]
    with pytest.raises(UserError, match="no reference holds any"):
        estimate(texts, "rouge1")


# ---------------------------------------------------------------- sacreBLEU


def sacrebleu_scores(texts: Outcome, chinese: bool) -> dict[str, tuple[float, str]]:
    most = max(map(len, texts.targets))
    streams = [[refs[index] if index < len(refs) else None for refs in texts.targets] for index in range(most)]
    scorers = {
        "bleu": sacrebleu.BLEU(tokenize="zh" if chinese else "13a"),
        "chrf": sacrebleu.CHRF(),
        "ter": sacrebleu.TER(normalized=chinese, asian_support=chinese),
    }
    found = {}
    for name, scorer in scorers.items():
        score = scorer.corpus_score(list(texts.outputs), streams).score / 100
        found[name] = (score, str(scorer.get_signature()))
    return found


def noisy(random: np.random.Generator, reference: str, gap: str) -> str:
    pieces = reference.split() if gap else list(reference)
    kept = [piece for piece in pieces if random.random() < 0.85] + [drawn_text(random)]
    if random.random() < 0.2:
        random.shuffle(kept)
    return gap.join(kept)


@pytest.mark.parametrize("chinese", [False, True])
def test_random_corpora_score_as_in_sacrebleu(chinese: bool) -> None:
    random = np.random.default_rng(3)
    pieces, gap = (CHINESE[:20], "") if chinese else (ENGLISH, " ")
    for corpus in range(150):
        cases = []
        for _ in range(random.integers(1, 6)):
            references = tuple(
                words_drawn(random, pieces, 9, gap) + ("学" if chinese else "word")
                for _ in range(random.integers(1, 3))
            )
            # Some corpora have nothing right in them, some are all right, some have empty texts.
            worst = ("", references[0], drawn_text(random))[corpus % 3]
            cases.append((references, noisy(random, references[0], gap) if random.random() < 0.6 else worst))
        texts = outcome(cases, "texts")
        wanted = sacrebleu_scores(texts, is_chinese("".join("".join(refs) for refs in texts.targets)))
        for name, (value, _) in wanted.items():
            assert estimate(texts, name) == pytest.approx(value, rel=0, abs=1e-9), (name, cases)


def test_the_signature_of_sacrebleu_stands_in_ours() -> None:
    for chinese, reference in ((False, "the cat sat on the mat"), (True, "猫坐在垫子上，the mat")):
        texts = outcome([((reference,), reference + "!"), ((reference, reference), "x")], "texts")
        found = measure(texts, ["bleu", "chrf", "ter"], resamples=100)
        for name, (value, theirs) in sacrebleu_scores(texts, chinese).items():
            assert f"{name}|sacrebleu|{theirs}|interval:" in found.scores[name].signature
            assert found.scores[name].value == pytest.approx(value)


def test_perfect_and_hopeless_texts_have_scores_at_the_ends_and_say_that_there_is_no_interval() -> None:
    sentence = "the quick brown fox jumps over the lazy dog number"
    cases = [((f"{sentence} {row}",), f"{sentence} {row}") for row in range(30)]
    perfect = measure(outcome(cases, "texts"), ["bleu", "chrf", "ter"]).scores
    hopeless = measure(outcome([(refs, "Ω") for refs, _ in cases], "texts"), ["bleu", "chrf", "ter"]).scores
    for scores, ends in ((perfect, (1, 1, 0)), (hopeless, (0, 0, 1))):
        for name, end in zip(("bleu", "chrf", "ter"), ends, strict=True):
            assert scores[name].value == pytest.approx(end)
            assert scores[name].low == pytest.approx(end)
            assert scores[name].high == pytest.approx(end)
            assert "no interval" in (scores[name].warning or "")


# ---------------------------------------------------------------- intervals and comparisons


def better_and_worse(random: np.random.Generator, rows: int, kind: str) -> tuple[Outcome, Outcome]:
    vocabulary = [f"w{index}" for index in range(40)]
    good, bad = [], []
    for _ in range(rows):
        text = [vocabulary[index] for index in random.integers(0, 40, random.integers(6, 15))]
        for cases, right in ((good, 0.9), (bad, 0.7)):
            said = [word if random.random() < right else "x" for word in text]
            cases.append(((" ".join(text),), " ".join(said)))
    return outcome(good, kind), outcome(bad, kind)


@pytest.mark.parametrize("kind", ["answers", "texts"])
def test_scores_lie_in_their_intervals_and_differences_have_the_right_sign(kind: str) -> None:
    good, bad = better_and_worse(np.random.default_rng(4), 150, kind)
    names = metrics_for(kind)
    scores = measure(good, names, resamples=500).scores
    assert set(scores) == set(names)
    for name in names:
        assert 0 < scores[name].low < scores[name].value < scores[name].high < 1
        assert scores[name].value == pytest.approx(estimate(good, name))
        difference = paired_difference(good, bad, name, resamples=500)
        assert difference.value == pytest.approx(estimate(good, name) - estimate(bad, name))
        sign = 1 if METRICS[kind][name].higher_is_better else -1
        assert sign * difference.low > 0
        assert sign * difference.high > 0
        same = paired_difference(good, good, name, resamples=500)
        assert same.low <= same.value == 0 <= same.high
        assert same.warning
    assert "rules:squad" in scores["f1"].signature if kind == "answers" else "f-measure" in scores["rouge1"].signature


def test_few_differences_are_no_certainty() -> None:
    cases = [(("yes",), "yes") for _ in range(100)]
    worse = [*cases[:97], *[(("yes",), "no")] * 3]
    found = paired_difference(outcome(cases, "answers"), outcome(worse, "answers"), "exact_match")
    # Bonett and Price 2012: (0 + 1) and (3 + 1) of 102 rows.
    half = 1.959964 * np.sqrt((5 / 102 - (3 / 102) ** 2) / 102)
    assert (found.low, found.high) == pytest.approx((3 / 102 - half, 3 / 102 + half))
    assert "only 3 of 100" in (found.warning or "")
    all_right = measure(outcome(cases, "answers"), ["f1"]).scores["f1"]
    assert all_right.low == pytest.approx(proportion(100, 100)[0])


def proportion(successes: int, n: int) -> tuple[float, float]:
    interval = binomtest(successes, n).proportion_ci(method="wilson")
    return interval.low, interval.high


def test_exact_match_has_wilsons_interval() -> None:
    cases = [(("yes",), "yes" if row % 3 else "no") for row in range(90)]
    found = measure(outcome(cases, "answers"), ["exact_match"]).scores["exact_match"]
    assert (found.low, found.high) == pytest.approx(proportion(60, 90))
    assert found.signature == "exact_match|rules:squad|interval:wilson|n:90|supertune-1"


def test_texts_that_are_none_are_refused_with_their_row() -> None:
    for targets, outputs, kind, wrong in (
        ([("a",), "b"], ["a", "b"], "answers", "references of row 1"),
        ([("a",), (1,)], ["a", "b"], "texts", "references of row 1"),
        ([("a",), ("b",)], ["a", None], "texts", "answer of row 1"),
        ([("a",), ()], ["a", "b"], "texts", "row 1 has no reference"),
        ([("a",), ("b",)], ["a"], "answers", "1 answers and 2 rows"),
        ([], [], "texts", "no rows"),
    ):
        refused = Outcome(
            np.fromiter(targets, object, len(targets)), np.fromiter(outputs, object, len(outputs)), answers=kind
        )
        with pytest.raises(UserError, match=wrong):
            measure(refused, metrics_for(kind))
