"""Entities are counted as CoNLL-2003's rule counts them, and intervals, the dictionary and the pictures behave."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Outcome
from supertune.entity_tags import entities_of
from supertune.errors import UserError
from supertune.evaluate import (
    DictionaryBaseline,
    edge_errors,
    entity_confusion,
    estimate,
    kinds_of_errors,
    measure,
    metrics_for,
    only_spans,
    paired_difference,
    verdict_on_spans,
    worst_spans,
)

LABELS = ("LOC", "ORG", "PER")
SINGLE = [name for name in metrics_for("spans") if not name.endswith("_per_class")]
Span = tuple[int, int, int]


def outcome_of(truths: Sequence[Sequence[Span]], answers: Sequence[Sequence[Span]]) -> Outcome:
    columns = []
    for rows in (truths, answers):
        column = np.empty(len(rows), object)
        for row, spans in enumerate(rows):
            column[row] = tuple(spans)
        columns.append(column)
    return Outcome(columns[0], columns[1], LABELS, "spans")


def drawn(random: np.random.Generator, rows: int, right: float = 0.7) -> Outcome:
    """Texts with none to four entities, which are found, missed, moved or mislabelled."""
    truths, answers = [], []
    for _ in range(rows):
        own = [(9 * place, 9 * place + int(random.integers(1, 6)), int(random.integers(3))) for place in range(4)]
        own = [span for span in own if random.random() < 0.5]
        given = []
        for start, end, label in own:
            luck = random.random()
            if luck < right:
                given.append((start, end, label))
            elif luck < right + 0.1:
                given.append((start, end + 1, label))
            elif luck < right + 0.2:
                given.append((start, end, (label + 1) % 3))
        if random.random() < 0.2:
            given.append((40, 43, int(random.integers(3))))
        truths.append(own)
        answers.append(given)
    return outcome_of(truths, answers)


# ------------------------------------------------------------------------------------------------------------ oracle


def chunks(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """(label, first, last) by the rules of conlleval.pl, token by token: what begins and what ends a chunk."""
    found = set()
    begin, before, before_label = 0, "O", ""
    for place, tag in enumerate([*tags, "O"]):
        letter, _, label = tag.partition("-")
        ends = before in ("E", "S") or (before in ("B", "I") and letter in ("B", "S", "O"))
        ends = ends or (before not in ("O", ".") and before_label != label)
        if ends and before != "O":
            found.add((before_label, begin, place - 1))
        begins = letter in ("B", "S") or (letter in ("E", "I") and before in ("E", "S", "O"))
        begins = begins or (letter not in ("O", ".") and before_label != label)
        if begins:
            begin = place
        before, before_label = letter, label
    return found


def oracle(truths: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, float]:
    """Precision, recall and F1, micro, macro and per label, in sets of (row, chunk)."""
    true, given = (
        {(row, *chunk) for row, tags in enumerate(rows) for chunk in chunks(tags)} for rows in (truths, answers)
    )

    def three(labels: Sequence[str]) -> tuple[float, float, float]:
        all_true, all_given = (sum(one[1] in labels for one in found) for found in (true, given))
        right = sum(one[1] in labels for one in true & given)
        precision, recall = (right / total if total else 0.0 for total in (all_given, all_true))
        return precision, recall, 2 * right / (all_true + all_given) if all_true + all_given else 0.0

    names = ("precision", "recall", "f1")
    found = dict(zip((f"{name}_micro" for name in names), three(LABELS), strict=True))
    present = sorted({one[1] for one in true | given})
    each = {label: three([label]) for label in present}
    for place, name in enumerate(names):
        found |= {f"{name}/{label}": each[label][place] for label in present}
        if present:
            found[f"{name}_macro"] = sum(values[place] for values in each.values()) / len(present)
    return found


def spans_of(tags: Sequence[str]) -> list[Span]:
    return [(first, behind, LABELS.index(label)) for first, behind, label in entities_of(tags)]


def test_scores_equal_conllevals_on_a_thousand_random_cases() -> None:
    random = np.random.default_rng(0)
    every = ["O", *(f"{letter}-{label}" for letter in "BI" for label in LABELS)]
    more = [*every, *(f"{letter}-{label}" for letter in "ES" for label in LABELS)]
    for case in range(1000):
        known = every if case % 2 else more
        truths = [random.choice(known, random.integers(0, 12)).tolist() for _ in range(random.integers(1, 6))]
        answers = [[tag if random.random() < 0.7 else str(random.choice(known)) for tag in tags] for tags in truths]
        outcome = outcome_of([spans_of(tags) for tags in truths], [spans_of(tags) for tags in answers])
        expected = oracle(truths, answers)
        for name in ("f1_micro", "precision_micro", "recall_micro", "f1_macro", "precision_macro", "recall_macro"):
            # Without any label there is no mean over labels.
            nothing = math.nan if name.endswith("macro") else 0.0
            assert estimate(outcome, name) == pytest.approx(expected.get(name, nothing), nan_ok=True), name
        if case % 50 == 0:
            scores = measure(outcome, metrics_for("spans"), resamples=1000).scores
            for name, value in expected.items():
                if name in scores:
                    assert scores[name].value == pytest.approx(value), name


def test_scores_equal_seqevals_where_it_is_installed() -> None:
    seqeval = pytest.importorskip("seqeval.metrics")
    random = np.random.default_rng(1)
    known = ["O", *(f"{letter}-{label}" for letter in "BI" for label in LABELS)]
    for _ in range(200):
        truths = [random.choice(known, random.integers(1, 12)).tolist() for _ in range(5)]
        answers = [[tag if random.random() < 0.7 else str(random.choice(known)) for tag in tags] for tags in truths]
        outcome = outcome_of([spans_of(tags) for tags in truths], [spans_of(tags) for tags in answers])
        for average in ("micro", "macro"):
            expected = seqeval.f1_score(truths, answers, average=average, zero_division=0)
            assert estimate(outcome, f"f1_{average}") == pytest.approx(expected)


# ---------------------------------------------------------------------------------------------------------- intervals


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_intervals_hold_their_value_and_repeat(seed: int, rows: int) -> None:
    outcome = drawn(np.random.default_rng(seed), rows)
    first = measure(outcome, metrics_for("spans"), resamples=1000)
    for name, score in first.scores.items():
        assert 0 <= score.low <= score.value <= score.high <= 1, name
        assert all(map(math.isfinite, (score.low, score.value, score.high)))
        assert name.partition("/")[0] in score.signature
    assert measure(outcome, metrics_for("spans"), resamples=1000) == first
    assert set(first.scores) | set(first.undefined) >= set(SINGLE)


def test_a_difference_is_that_of_the_values_and_knows_its_sign() -> None:
    good, bad = drawn(np.random.default_rng(3), 200, 0.9), drawn(np.random.default_rng(3), 200, 0.4)
    bad = Outcome(good.targets, bad.outputs, LABELS, "spans")
    for name in SINGLE:
        found = paired_difference(good, bad, name, resamples=1000)
        assert found.value == pytest.approx(estimate(good, name) - estimate(bad, name))
        assert found.low < found.value < found.high
        back = paired_difference(bad, good, name, resamples=1000)
        assert back.value == pytest.approx(-found.value)
    assert paired_difference(good, bad, "f1_micro", resamples=1000).low > 0


def test_texts_that_err_together_have_wider_intervals_than_entities_alone_would() -> None:
    spans = [(9 * place, 9 * place + 3, 0) for place in range(10)]
    together = outcome_of([spans] * 60, [spans if row % 2 else [] for row in range(60)])
    random = np.random.default_rng(0)
    apart = outcome_of([spans] * 60, [[span for span in spans if random.random() < 0.5] for _ in range(60)])
    one, other = (measure(found, ["recall_micro"]).scores["recall_micro"] for found in (together, apart))
    assert one.value == pytest.approx(other.value, abs=0.05)
    assert one.high - one.low > 2 * (other.high - other.low)


def test_metrics_say_what_they_are() -> None:
    outcome = outcome_of([[(0, 3, 0), (5, 9, 1)], []], [[(0, 3, 1), (5, 9, 1), (12, 14, 2)], []])
    scores = measure(outcome, metrics_for("spans"), resamples=1000).scores
    values = {name: score.value for name, score in scores.items()}
    assert values["f1_micro"] == pytest.approx(2 / 5)
    assert values["f1_boundaries"] == pytest.approx(4 / 5)
    assert values["label_accuracy"] == 0.5
    assert values["exact_texts"] == 0.5
    assert values["recall/LOC"] == 0
    assert "precision/LOC" not in values


def test_without_entities_there_is_no_score_but_a_reason() -> None:
    found = measure(outcome_of([[], []], [[], []]), metrics_for("spans"), resamples=1000)
    assert set(found.scores) == {"exact_texts"}
    assert "no row has an entity" in found.undefined["f1_micro"]
    assert "exactly the right characters" in found.undefined["label_accuracy"]


@pytest.mark.parametrize(
    ("truths", "answers"), [([], []), ([[(3, 3, 0)]], [[]]), ([[(0, 3, 7)]], [[]]), ([[(0, 3)]], [[]])]
)
def test_what_are_no_entities_is_refused(truths: list[list[Span]], answers: list[list[Span]]) -> None:
    with pytest.raises(UserError):
        measure(outcome_of(truths, answers), ["f1_micro"])


# --------------------------------------------------------------------------------------------------------- dictionary


def test_the_dictionary_finds_the_longest_mention_as_whole_words() -> None:
    texts = ["Ann Lee left", "Ann left", "Lee in New York", "李明在北京", "Ann here", "and Ann"]
    spans = [[(0, 7, 2)], [(0, 3, 2)], [(0, 3, 2), (7, 15, 0)], [(0, 2, 2), (3, 5, 0)], [(0, 3, 1)], [(4, 7, 2)]]
    baseline = DictionaryBaseline()
    baseline.fit(texts, spans)
    (found,) = baseline.predict(["Annabel, Ann Lee and Ann went to New Yorkshire, New York, 见李明、北京人"])
    text = "Annabel, Ann Lee and Ann went to New Yorkshire, New York, 见李明、北京人"
    assert [(text[start:end], LABELS[label]) for start, end, label in found] == [
        ("Ann Lee", "PER"), ("Ann", "PER"), ("New York", "LOC"), ("李明", "PER"), ("北京", "LOC"),
    ]  # fmt: skip


def test_a_word_that_is_seldom_an_entity_is_not_looked_up() -> None:
    baseline = DictionaryBaseline()
    baseline.fit(["May left"] + ["it came in May"] * 5, [[(0, 4 - 1, 2)], *[[]] * 5])
    assert baseline.predict(["May left"]) == [()]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(0, 2)), max_size=5))
def test_the_dictionary_knows_its_own_words_apart(pieces: list[tuple[int, int, int]]) -> None:
    spans, text = [], ""
    for number, (gap, length, label) in enumerate(pieces):
        text += "的" * gap
        spans.append((len(text), len(text) + length + 1, label))
        text += "甲乙丙丁戊"[number] * length + "己"
    baseline = DictionaryBaseline()
    baseline.fit([text], [spans])
    found = baseline.predict([text])[0]
    assert all(start < end <= len(text) for start, end, _ in found)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    assert {span[:2] for span in spans} == {span[:2] for span in found}


# ------------------------------------------------------------------------------------------------------------- errors


def test_kinds_of_errors_count_every_entity_once() -> None:
    outcome = outcome_of(
        [[(0, 3, 0), (5, 9, 1), (20, 24, 2), (30, 33, 0)], [(0, 3, 0)]],
        [[(0, 3, 0), (5, 9, 2), (21, 25, 2), (40, 43, 1)], [(1, 3, 1)]],
    )
    kinds = kinds_of_errors(outcome)
    assert kinds == {"right": 1, "label error": 1, "edges": 1, "missed": 1, "made-up": 1, "both": 1}
    assert edge_errors(outcome) == {"begins-late": 2, "ends-late": 1}
    picture = entity_confusion(outcome)
    assert np.sum(picture.values) == 6
    assert picture.rows == (*LABELS, "(no entity)")
    assert picture.columns == (*LABELS, "(missed)")
    assert picture.values[1][2] == 1
    assert worst_spans(outcome, lambda row, span: 0.5) == [0, 1]
    assert entity_confusion(outcome, language="zh").title


@given(st.integers(0, 10_000))
def test_pictures_and_parts_agree_with_the_counts(seed: int) -> None:
    outcome = drawn(np.random.default_rng(seed), 20)
    kinds, values = kinds_of_errors(outcome), np.array(entity_confusion(outcome).values)
    assert values.sum() == kinds.total()
    assert values[:, -1].sum() == kinds["missed"]
    assert values[-1].sum() == kinds["made-up"]
    true = sum(map(len, outcome.targets))
    assert kinds.total() - kinds["made-up"] == true
    halves = [only_spans(outcome, lambda row, span, odd=odd: span[0] % 2 == odd) for odd in (0, 1)]
    assert sum(len(spans) for half in halves for spans in half.targets) == true


# ------------------------------------------------------------------------------------------------------------ verdict


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_verdict_says_what_was_measured(language: str) -> None:
    good, bad = drawn(np.random.default_rng(3), 400, 0.9), drawn(np.random.default_rng(3), 400, 0.4)
    bad = Outcome(good.targets, bad.outputs, LABELS, "spans")
    scores, baseline = measure(good, metrics_for("spans")).scores, measure(bad, metrics_for("spans")).scores
    counts = dict.fromkeys(LABELS, 100)
    difference = paired_difference(good, bad, "f1_micro")

    def said(difference: object, new: tuple[int, int] = (30, 40)) -> str:
        return verdict_on_spans(
            scores, {"dictionary": baseline}, difference,  # type: ignore[arg-type]
            test_counts=counts, train_counts=counts, new=new, language=language,
        )  # fmt: skip

    told = said(difference)
    assert f"{100 * scores['recall_micro'].value:.0f}" in told
    assert f"{100 * baseline['f1_micro'].value:.0f}" in told
    assert "75" in told
    assert "75" not in said(difference, (3, 4))
    assert told != said(paired_difference(good, good, "f1_micro"))
    assert said(None)
    with pytest.raises(UserError):
        verdict_on_spans(scores, {}, None, test_counts=counts, train_counts=counts, new=(0, 0), language="fr")
