"""Near duplicates beside comparing all pairs, whatever the order, the workers and the sizes of things."""

import random
from itertools import combinations, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.data.near_duplicates import ALONE, jaccard, meetings, near_duplicates, shingles, stored
from supertune.data.near_duplicates.shingling import ShingleHashes
from supertune.data.near_duplicates.sketch import RECALL, Banding, sketches_of
from supertune.errors import UserError

steady = settings(deadline=None, derandomize=True)
ENGLISH = [
    *("the", "a", "my", "this", "parcel", "order", "refund", "screen", "battery"),
    *("was", "is", "not", "never"),
]
CHINESE = "快递还没到退款什么时候发货订单号账户密码错误屏幕坏了充电"


def like_each_other(count, seed, *, longest=30, copies=4, changes=3):
    """Texts of both languages, many of them copies of others with some units changed."""
    source, texts = random.Random(seed), []
    while len(texts) < count:
        letters, between = source.choice([(ENGLISH, " "), (CHINESE, ""), ([*ENGLISH, *CHINESE, "👍", "👎"], " ")])
        base = source.choices(letters, k=source.randint(1, longest))
        for _ in range(source.randint(1, copies)):
            copy = list(base)
            for _ in range(source.randint(0, changes)):
                copy[source.randrange(len(copy))] = source.choice(letters)
            texts.append(between.join(copy))
    source.shuffle(texts)
    return texts


def clusters(found):
    own = {}
    for row, number in enumerate(found.cluster.tolist()):
        if number != ALONE:
            own.setdefault(number, set()).add(row)
    return {frozenset(rows) for rows in own.values()}


def by_all_pairs(texts, threshold=0.8, ngram=2):
    """Components of the graph of all pairs that are alike, by Python's sets alone."""
    sets = [shingles(text, ngram) for text in texts]
    home = list(range(len(texts)))
    for one, other in combinations(range(len(texts)), 2):
        union = len(sets[one] | sets[other])
        if union and len(sets[one] & sets[other]) / union >= threshold and home[one] != home[other]:
            old, new = home[other], home[one]
            home = [new if number == old else number for number in home]
    members = {}
    for row, number in enumerate(home):
        members.setdefault(number, set()).add(row)
    return {frozenset(rows) for rows in members.values() if len(rows) > 1}


def consistent(found, texts):
    """What is said of pairs and clusters is so."""
    for (one, other), similarity in zip(found.links.tolist(), found.link_similarity.tolist(), strict=True):
        assert one < other
        assert found.cluster[one] == found.cluster[other] != ALONE
        assert jaccard(texts[one], texts[other], found.ngram) == pytest.approx(similarity, abs=1e-12)
        assert similarity >= found.threshold
    for row, text in enumerate(texts):
        first = found.first[row]
        assert first <= row
        assert found.cluster[first] == found.cluster[row]
        assert (first == row) or found.cluster[row] != ALONE
        if shingles(text, found.ngram):
            assert jaccard(text, texts[first], found.ngram) == pytest.approx(found.similarity[row], abs=1e-12)
    firsts = list(dict.fromkeys(number for number in found.cluster.tolist() if number != ALONE))
    assert firsts == list(range(found.count))
    # Links and equal sets hold each cluster together.
    home = {}
    for row, text in enumerate(texts):
        if found.cluster[row] != ALONE:
            home.setdefault(shingles(text, found.ngram), row)
    stand_in = [home.get(shingles(text, found.ngram), row) for row, text in enumerate(texts)]
    joined = list(range(len(texts)))
    for one, other in found.links.tolist():
        old, new = joined[stand_in[other]], joined[stand_in[one]]
        joined = [new if number == old else number for number in joined]
    for rows in clusters(found):
        assert len({joined[stand_in[row]] for row in rows}) == 1


def missed_pairs(texts, found):
    """Pairs that are alike, and how many of them are not in one cluster."""
    sets = [shingles(text, found.ngram) for text in texts]
    alike = [
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if sets[one] and len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= found.threshold
    ]
    missed = [(one, other) for one, other in alike if not found.cluster[one] == found.cluster[other] != ALONE]
    return len(alike), len(missed)


@pytest.mark.parametrize(("threshold", "ngram"), [(0.5, 2), (0.6, 1), (0.7, 3), (0.8, 2), (0.8, 3), (0.9, 2), (1.0, 2)])
def test_what_is_found_is_what_comparing_all_pairs_finds(threshold, ngram):
    pairs = missed = 0
    for seed in range(2):
        texts = like_each_other(250, seed)
        found, expected = (
            near_duplicates(texts, threshold=threshold, ngram=ngram),
            by_all_pairs(texts, threshold, ngram),
        )
        consistent(found, texts)
        # Nothing is put together that is not; a pair that never met leaves a cluster in parts.
        assert all(any(own <= whole for whole in expected) for own in clusters(found))
        alike, not_found = missed_pairs(texts, found)
        pairs, missed = pairs + alike, missed + not_found
    assert pairs > 25
    assert missed <= 0.03 * pairs


@settings(steady, max_examples=60)
@given(st.lists(st.text(st.sampled_from("ab 好吃!'\u200b👍é"), max_size=6), max_size=30), st.randoms())
def test_any_texts_in_any_order(texts, source):
    found = near_duplicates(texts)
    consistent(found, texts)
    # Texts this short are alike only if their sets are equal or nearly so, and those always meet or never.
    assert all(any(own <= whole for whole in by_all_pairs(texts)) for own in clusters(found))
    assert all(found.cluster[row] == ALONE for row, text in enumerate(texts) if not shingles(text))
    order = source.sample(range(len(texts)), len(texts))
    shuffled = near_duplicates([texts[row] for row in order])
    assert {frozenset(order[row] for row in rows) for rows in clusters(shuffled)} == clusters(found)


def test_equal_sets_are_always_together():
    texts = [
        "Late again!",
        "late  AGAIN",
        "好吃",
        "好吃！",
        "好，吃。",
        "🙂",
        "🙃",
        "?",
        "!",
        "",
        "\u3000",
        "a",
        "A",
        "b",
    ]
    assert clusters(near_duplicates(texts)) == {frozenset({0, 1}), frozenset({2, 3, 4}), frozenset({11, 12})}


def test_nothing_and_one_text():
    for texts in ([], ["好"], [""], ["", ""]):
        found = near_duplicates(texts)
        assert found.count == 0
        assert found.cluster.tolist() == [ALONE] * len(texts)
        assert found.links.shape == (0, 2)


def test_very_long_texts():
    source = random.Random(0)
    long = source.choices([f"w{number}" for number in range(5000)], k=60_000)
    other = [*long[:30_000], *source.choices(long, k=30_000)]
    texts = [" ".join(long), "短", " ".join([*long[1:], "end"]), " ".join(other), "长" * 100_000, "长" * 90_001]
    assert clusters(near_duplicates(texts)) == {frozenset({0, 2}), frozenset({4, 5})}


def test_two_workers_find_the_same_as_one():
    texts = like_each_other(700, 3)
    one, two = near_duplicates(texts), near_duplicates(texts, workers=2)
    for name in ("cluster", "first", "similarity", "links", "link_similarity"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def test_sets_in_a_file_are_compared_alike(monkeypatch):
    texts = like_each_other(400, 4)
    expected = near_duplicates(texts)
    monkeypatch.setattr(stored.StoreBuilder, "__init__", _small)
    found = near_duplicates(texts)
    assert np.array_equal(found.cluster, expected.cluster)
    assert np.array_equal(found.links, expected.links)


def _small(builder):
    builder.in_memory, builder._bytes, builder._file = 1000, 0, None
    builder._pieces, builder._sizes, builder._bitmaps = [], [], []


def letters(count, seed):
    """Letters with one long heading, some of them nearly the same."""
    source = random.Random(seed)
    heading = " ".join(f"heading{number}" for number in range(30))
    texts = []
    for number in range(count):
        own = [f"w{source.randrange(10_000)}" for _ in range(20)]
        texts.append(f"{heading} {' '.join(own)}")
        if number % 5 == 0:
            own[3] = "other"
            texts.append(f"{heading} {' '.join(own)}")
    return texts


def test_a_heading_that_all_share_hides_no_pair():
    texts = letters(200, 1)
    found = near_duplicates(texts)
    consistent(found, texts)
    assert len(clusters(found)) == 40
    assert all(len(rows) == 2 for rows in clusters(found))


def test_very_many_copies_of_one_form_are_one_cluster(monkeypatch):
    compared = []
    jaccard_of = stored.StoredSets.jaccard
    monkeypatch.setattr(
        stored.StoredSets, "jaccard", lambda self, a, b: (compared.append(len(a)), jaccard_of(self, a, b))[1]
    )
    form = "your order number {} was sent today and will be with you within the next three days thank you very much"
    texts = [form.format(number) for number in range(2000)]
    found = near_duplicates(texts)
    assert clusters(found) == {frozenset(range(2000))}
    assert sum(compared) < 100 * len(texts)


@settings(steady, max_examples=15)
@given(st.integers(0, 10_000), st.randoms())
def test_crowds_do_not_depend_on_the_order(seed, source):
    texts = like_each_other(60, seed, longest=12)
    before = meetings.CROWD, meetings.WINDOW
    try:
        meetings.CROWD = meetings.WINDOW = 2
        found = near_duplicates(texts)
        consistent(found, texts)
        order = source.sample(range(len(texts)), len(texts))
        shuffled = near_duplicates([texts[row] for row in order])
    finally:
        meetings.CROWD, meetings.WINDOW = before
    assert {frozenset(order[row] for row in rows) for rows in clusters(shuffled)} == clusters(found)


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 1.0])
def test_bands_let_nearly_all_pairs_at_the_threshold_meet(threshold):
    banding = Banding.at(threshold)
    assert banding.meeting(threshold) >= RECALL
    assert banding.meeting(0.0) == 0
    assert banding.hashes <= 256
    if threshold >= 0.7:
        assert banding.meeting(0.1) < 2e-4


@pytest.mark.parametrize(("common", "apart"), [(8, 1), (40, 5), (400, 50), (20, 10), (20, 30)])
def test_pairs_meet_as_often_as_the_curve_says(common, apart):
    pairs, banding = 4000, Banding.at(0.8)
    drawn = np.random.default_rng(common).integers(0, 2**63, (pairs, common + 2 * apart)).astype(np.uint64) * 2 + 1
    sides = [drawn[:, : common + apart], np.delete(drawn, np.s_[common : common + apart], axis=1)]
    keys = [
        sketches_of(ShingleHashes(side.ravel(), np.arange(pairs + 1) * side.shape[1]), banding).keys for side in sides
    ]
    met = (keys[0] == keys[1]).any(axis=0).mean()
    assert met == pytest.approx(banding.meeting(common / (common + 2 * apart)), abs=0.02)


def test_progress_rises_to_one():
    told = []
    near_duplicates(like_each_other(100, 5), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert all(0 <= share <= 1 for share in told)


def test_an_interruption_comes_through():
    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        near_duplicates(like_each_other(100, 5), progress=stop)


@pytest.mark.parametrize("options", [{"threshold": 0.4}, {"threshold": 1.1}, {"ngram": 0}, {"workers": 0}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(UserError, match=f"{next(iter(options))} is"):
        near_duplicates(["a"], **options)


def test_texts_that_can_be_read_once_are_refused():
    with pytest.raises(TypeError, match="twice"):
        near_duplicates(islice(["a", "b"], 2))
