"""What a choice of sentences is worth, the greedy choice, and how many to take, beside plain counting."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.extracts import Length, Ranked, best_length, chosen, oracle
from supertune.language import characters_and_words

SENTENCE = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "的", "好", "坏"]), max_size=6).map(" ".join)
DOCUMENT = st.lists(SENTENCE, max_size=7)


def worth(sentences: list[str], places: list[int], summary: str) -> float:
    """Mean of ROUGE-1 and ROUGE-2, counted one by one; pairs are those within a sentence."""
    values = []
    for grams in (list, lambda tokens: list(pairwise(tokens))):
        wanted = Counter(grams(characters_and_words(summary)))
        given: Counter[object] = Counter()
        for place in places:
            given.update(grams(characters_and_words(sentences[place])))
        both = (wanted & given).total()
        values.append(2 * both / max(1, wanted.total() + given.total()))
    return float(np.mean(values))


def greedy(sentences: list[str], summary: str, most: int) -> tuple[list[int], float]:
    places: list[int] = []
    value = 0.0
    while len(places) < most:
        tried = [
            (worth(sentences, [*places, place], summary), -place)
            for place in range(len(sentences))
            if place not in places
        ]
        best = max(tried, default=(0.0, 0), key=lambda found: (round(found[0], 9), found[1]))
        if best[0] <= value + 1e-9:
            break
        places.append(-best[1])
        value = best[0]
    return sorted(places), value


@given(DOCUMENT, SENTENCE, st.integers(1, 5))
def test_the_oracle_is_the_greedy_choice(sentences: list[str], summary: str, most: int) -> None:
    found = oracle(sentences, [summary], most)
    places, value = greedy(sentences, summary, most)
    assert list(found.chosen) == places
    assert found.value == pytest.approx(value)
    assert len(found.chosen) <= most


def test_the_oracle_finds_a_summary_that_was_copied() -> None:
    sentences = ["The shop is old.", "It burned down on Monday.", "Nobody was hurt.", "People like it."]
    assert oracle(sentences, ["It burned down on Monday. Nobody was hurt."]).chosen == (1, 2)
    chinese = ["昨天下雨。", "店铺失火。", "没有人受伤。", "大家喜欢这家店。"]
    found = oracle(chinese, ["店铺失火，没有人受伤。"])
    assert found.chosen == (1, 2)
    assert found.value > 0.9
    # Of several summaries the one that sentences come nearest to.
    assert oracle(sentences, ["in quite other words", "people like it"]).chosen == (3,)
    assert oracle(sentences, ["Совсем другое"]).chosen == ()
    assert oracle([], ["a"]).chosen == oracle(sentences, []).chosen == ()


@given(DOCUMENT, st.integers(1, 4), st.integers(1, 30) | st.none(), st.booleans(), st.integers(0, 1000))
def test_what_is_taken_fits_and_is_in_order(
    sentences: list[str], count: int, characters: int | None, blocking: bool, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(sentences)).tolist()
    taken = chosen(Ranked(sentences, order), Length(count, characters, blocking))
    assert taken == sorted(set(taken))
    assert len(taken) <= count
    if characters is not None:
        assert len("\n".join(sentences[place] for place in taken)) <= characters
    if not blocking and characters is None:
        assert taken == sorted(order[:count])


def test_what_is_said_already_is_passed_over() -> None:
    sentences = ["the cat sat down here", "so the cat sat up", "a dog ran", "the cat ran"]
    ranked = Ranked(sentences, [0, 1, 3, 2])
    assert chosen(ranked, Length(2)) == [0, 1]
    assert chosen(ranked, Length(2, blocking=True)) == [0, 3]
    # Three characters in a row are an everyday phrase, five are not.
    chinese = ["店铺昨天晚上失火", "他昨天晚归", "火在昨天晚上失火后灭了"]
    assert chosen(Ranked(chinese, [0, 1, 2]), Length(3, blocking=True)) == [0, 1]


def test_sentences_that_do_not_fit_are_passed_over_and_none_is_cut() -> None:
    ranked = Ranked(["a" * 10, "b" * 5, "c" * 4], [0, 1, 2])
    assert chosen(ranked, Length(characters=9)) == [1]
    assert chosen(ranked, Length(characters=10)) == [0]
    assert chosen(ranked, Length(characters=15)) == [0, 2]
    assert chosen(ranked, Length(characters=3)) == []


@given(st.lists(st.tuples(DOCUMENT, SENTENCE, st.integers(0, 99)), min_size=1, max_size=4))
def test_the_best_length_is_the_best_there_is(rows: list[tuple[list[str], str, int]]) -> None:
    documents = [
        Ranked(sentences, np.random.default_rng(seed).permutation(len(sentences)).tolist(), [summary])
        for sentences, summary, seed in rows
    ]

    def mean(length: Length) -> float:
        return sum(worth(list(one.sentences), chosen(one, length), one.summaries[0]) for one in documents)

    found = best_length(documents, Length(), [False, True])
    if not any(one.order for one in documents):
        assert found == Length()
        return
    tried = {(count, blocked): mean(Length(count, None, blocked)) for count in range(1, 9) for blocked in (False, True)}
    assert mean(found) == pytest.approx(max(tried.values()))
    # The fewest of equally good ones.
    assert found.sentences == min(count for (count, _), value in tried.items() if value >= max(tried.values()) - 1e-9)


def test_what_is_settled_stays() -> None:
    one = Ranked(["a b c d", "a b c e", "x"], [0, 1, 2], ["a b c d x"])
    assert best_length([one], Length(2), [False]) == Length(2)
    assert best_length([one], Length(2), [False, True]) == Length(2, blocking=True)
    assert best_length([one], Length(characters=9), [False, True]).characters == 9
    assert best_length([one], Length(characters=9), [False, True]).sentences is None
    assert best_length([Ranked(["a"], [0])], Length(3), [False, True]) == Length(3)
