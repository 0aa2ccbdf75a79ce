"""What each augmenter does to known texts, and what none of them may do to any."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.data import AUGMENTERS, BatchAugmenter, Protection
from supertune.data.augment.dictionaries import characters, typed_alike, words
from supertune.data.augment.inflection import synonyms_of
from supertune.data.augment.keyboard import neighbours
from supertune.errors import UserError

PROTECTION = Protection()
PIECES = st.sampled_from(
    [
        *("The movie ", "quickly ", "doesn't ", "not ", "automobiles ", "a@b.org ", "https://x.io/a?b=1 ", "[EMAIL] "),
        *(
            "2019-03-05 ",
            "$3.50 ",
            "iPhone15 ",
            "质量",
            "不",
            "没有",
            "喜欢",
            "三百元",
            "2019年3月",
            "，",
            "。",
            "\n",
            "é ",
        ),
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map("".join))


@given(text=TEXTS, seed=st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_any_text_is_taken_what_is_protected_survives_and_the_same_seed_says_the_same(text, seed):
    spans = PROTECTION.spans(text)
    for kind in AUGMENTERS.values():
        if issubclass(kind, BatchAugmenter):
            continue
        new = kind().augment(text, random.Random(seed), spans)
        assert new == kind().augment(text, random.Random(seed), spans)
        if new is None:
            continue
        left, place = new, 0
        for start, end in spans:
            place = left.find(text[start:end], place)
            assert place >= 0, (kind.name, text, new, text[start:end])
            place += end - start


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Call 555-1234 on 3/5/2019 at 5 pm", ["555-1234", "3/5/2019", "5 pm"]),
        ("see https://a.io/b?c=d, or a.b@c.org", ["https://a.io/b?c=d,", "a.b@c.org"]),
        ("[PHONE] and <NAME_1> and {city}", ["[PHONE]", "<NAME_1>", "{city}"]),
        ("I don't like it, never without you", ["don't", "never", "without"]),
        ("价格300元，不贵，没有问题", ["300元", "不", "没"]),
    ],
)
def test_what_is_protected(text, kept):
    assert [text[start:end] for start, end in PROTECTION.spans(text)] == kept


def test_users_patterns_quotes_and_entities_are_protected_and_a_bad_pattern_is_refused():
    found = Protection(patterns=["Acme"], quotes=True, negations=False)
    text = 'not "so bad" says Acme'
    assert [text[start:end] for start, end in found.spans(text)] == ['"so bad"', "Acme"]
    with pytest.raises(ValueError, match="no regular expression"):
        Protection(patterns=["("])


def test_synonyms_keep_form_and_capitals_and_leave_words_of_several_meanings_alone():
    assert "autos" in synonyms_of("cars")
    assert "Autos" in synonyms_of("Cars")
    assert "RAPIDLY" in synonyms_of("QUICKLY")
    assert synonyms_of("bank") == ()
    assert synonyms_of("not") == ()


def test_synonyms_leave_names_alone_and_fit_their_article():
    synonyms = AUGMENTERS["synonyms"](share=1.0)
    for seed in range(10):
        assert "Cars" in (synonyms.augment("We went to Cars quickly", random.Random(seed), ()) or "Cars")
        new = synonyms.augment("She has a car", random.Random(seed), ())
        assert new is None or " a motorcar" in new


def test_chinese_synonyms_have_the_same_part_of_speech_and_negation():
    for word, (_, others) in words("chinese").items():
        assert word not in others
        assert all(bool(re.search("[不没无未非]", other)) == bool(re.search("[不没无未非]", word)) for other in others)
    assert AUGMENTERS["synonyms"]().augment("我喜欢", random.Random(0), ()) in {
        f"我{other}" for other in words("chinese")["喜欢"][1]
    }


def test_deletion_keeps_order_and_one_word_and_swap_keeps_the_words():
    text = "one word after another goes"
    for seed in range(20):
        shorter = AUGMENTERS["random-deletion"](share=0.9).augment(text, random.Random(seed), ()).split()
        assert shorter
        assert [word for word in text.split() if word in shorter] == shorter
        swapped = AUGMENTERS["random-swap"](share=0.5).augment(text, random.Random(seed), ())
        assert swapped is None or sorted(swapped.split()) == sorted(text.split())


def test_swap_never_carries_a_word_over_a_negation():
    for seed in range(20):
        text = "good sweet not bad sour"
        new = AUGMENTERS["random-swap"](share=1.0).augment(text, random.Random(seed), PROTECTION.spans(text))
        assert new is None or {*new.split(" not ")[0].split()} == {"good", "sweet"}


def test_punctuation_only_adds_signs():
    for text in ("one word after another", "质量很好，喜欢"):
        new = AUGMENTERS["punctuation"]().augment(text, random.Random(1), ())
        assert [each for each in new if each.isalnum()] == [each for each in text if each.isalnum()]
        assert len(new) > len(text)


def test_slips_of_hand_and_machine_change_one_word_and_never_its_first_letter_on_keys():
    assert set(neighbours()["g"]) == set("tyfhvb")
    for seed in range(20):
        typed = AUGMENTERS["keyboard"]().augment("wonderful", random.Random(seed), ())
        assert typed != "wonderful"
        assert typed[0] == "w"
        read = AUGMENTERS["ocr"]().augment("modern", random.Random(seed), ())
        assert read in {
            *("rnodern", "m0dern", "moclern", "modem", "modcrn", "modehn", "moderh", "moder", "mocdern"),
        }


def test_wrong_characters_and_words_are_those_that_sound_or_look_alike():
    assert "必需" in typed_alike()["必须"]
    assert "末" in characters("look_alikes")["未"]
    new = AUGMENTERS["homophones"]().augment("坐", random.Random(0), ())
    assert new in characters("homophones").get("坐", (None,))
    assert AUGMENTERS["input-method"]().augment("必须", random.Random(0), ()) in typed_alike()["必须"]
    assert AUGMENTERS["homophones"]().augment("不", random.Random(0), PROTECTION.spans("不")) is None


def test_lemminflect_that_is_missing_is_named_with_its_extra(monkeypatch):
    from supertune.data.augment import inflection

    def missing(name):
        raise ImportError(name)

    inflection._library.cache_clear()
    monkeypatch.setattr(inflection.importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"supertune\[augment\]"):
        inflection._library()
    monkeypatch.undo()
    inflection._library.cache_clear()
