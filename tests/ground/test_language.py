"""What is known about languages and scripts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.language import (
    characters_and_words,
    display_width,
    fold,
    guess_language,
    has_unspaced_script,
    is_blank,
    is_chinese,
    join_fields,
    language_of,
    number_of,
    running_tokens,
    shorten,
    words,
)

ENGLISH = "The delivery was late and nobody answered my messages about it."
GERMAN = "Die Lieferung kam zu spät und niemand hat auf meine Nachrichten geantwortet."
CHINESE = "快递太慢了，客服也不回消息。"


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        ([ENGLISH], "en"),
        ([GERMAN], "de"),
        ([CHINESE], "zh"),
        (["好"], "zh"),
        (["iPhone 15 Pro Max 电池不行"], "zh"),
        (["列夫・托尔斯泰写得好"], "zh"),
        (["配送が遅すぎる"], "ja"),
        (["ｱﾘｶﾞﾄｳ"], "ja"),
        (["배송이 너무 늦어요"], "ko"),
        (["สินค้ามาช้ามากและไม่มีใครตอบ"], "th"),
        (["good", "bad", "late", "refund please", "where", "cancel my order"], "en"),
        (["gut", "schlecht", "wunderbar", "danke schön", "nicht gut"], "de"),
        ([*["😀👍"] * 5, ENGLISH], "en"),
    ],
)
def test_languages(texts: list[str], language: str) -> None:
    assert guess_language(texts).language == language


@pytest.mark.parametrize("texts", [[], [""], ["😀", "👍👍"], ["123", "!?", "。。。"], [" \u200b\u3000"]])
def test_without_letters_there_is_no_language(texts: list[str]) -> None:
    guess = guess_language(texts)
    assert (guess.language, guess.share) == ("und", 0.0)


def test_the_share_of_a_mixed_set() -> None:
    guess = guess_language([ENGLISH, CHINESE, ENGLISH, ENGLISH])
    assert (guess.language, guess.share) == ("en", 0.75)


@pytest.mark.parametrize("count", [401, 799, 2001])
def test_a_sorted_file_is_seen_as_a_whole(count: int) -> None:
    guess = guess_language([ENGLISH] * (count * 2 // 5) + [CHINESE] * (count * 3 // 5))
    assert guess.language == "zh"
    assert guess.share == pytest.approx(0.6, abs=0.08)


def test_a_file_whose_rows_alternate_is_seen_as_a_whole() -> None:
    guess = guess_language([ENGLISH, CHINESE] * 2000)
    assert guess.share == pytest.approx(0.5, abs=0.08)
    assert guess == guess_language([ENGLISH, CHINESE] * 2000)


def test_a_long_text_is_judged_by_itself() -> None:
    assert guess_language([ENGLISH, GERMAN] * 10).share == 0.5


def test_the_language_of_one_text() -> None:
    assert [language_of(text) for text in (CHINESE, ENGLISH, "", "42", "の本")] == ["zh", "en", "und", "und", "ja"]


@pytest.mark.parametrize(
    "text", ["", " ", "\t\r\n", "\u3000", "\u200b", "\ufeff", "\u00a0\u2003", "\x00", "\u200e\u2028"]
)
def test_nothing_visible_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", "。", "😀", "\u200ba", "·", "\U0001fae9", "０"])
def test_anything_visible_is_not_blank(text: str) -> None:
    assert not is_blank(text)


def test_folding_keeps_full_width_and_case() -> None:
    assert fold("  A\u3000b\n\tc ") == "A b c"
    assert fold("cafe\u0301") == fold("café")
    assert fold("Ａ，Ｂ！") == "Ａ，Ｂ！"


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("好的", 4), ("ｶﾅ", 2), ("，", 2), ("cafe\u0301", 4), ("😀", 2), ("a\u200bb", 2), ("ที่", 1), ("", 0)],
)
def test_width_on_a_terminal(text: str, width: int) -> None:
    assert display_width(text) == width


@given(st.text(), st.integers(1, 30))
def test_shortened_texts_fit_and_say_that_they_were_cut(text: str, width: int) -> None:
    short = shorten(text, width)
    assert display_width(short) <= width
    assert "\n" not in short
    if short != fold(text):
        assert short.endswith("…")
        assert fold(text).startswith(short[:-1])
    else:
        assert display_width(fold(text)) <= width


def test_shortening_cuts_full_width_characters_whole() -> None:
    assert [shorten("快递太慢了", width) for width in (10, 9, 8, 1)] == ["快递太慢了", "快递太慢…", "快递太…", "…"]


def test_joining_leaves_blank_fields_out() -> None:
    assert (
        join_fields(["标题", None, "", " ", "\u200b\u3000", 0, False, "two\nlines "]) == "标题\n0\nFalse\ntwo\nlines "
    )
    assert join_fields([]) == join_fields([None]) == ""


@pytest.mark.parametrize(
    ("text", "unspaced"),
    [("好", True), ("abc の", True), ("ดี", True), ("មិន", True), ("good", False), ("좋아요", False), ("฿100", False)],
)
def test_scripts_without_spaces(text: str, unspaced: bool) -> None:
    assert has_unspaced_script(text) is unspaced


def test_tokens_are_characters_where_no_spaces_part_words_and_words_elsewhere() -> None:
    found = characters_and_words("用GPT-4写２０２４年，二〇二四 のｶﾅ ไทย")
    assert found == ["用", "gpt", "4", "写", "2024", *"年二〇二四のｶﾅไทย"]
    assert characters_and_words("The cat's naïve №1") == ["the", "cat", "s", "na", "ve", "1"]
    assert words("我们在北京大学用GPT-4学习") == ["我们", "在", "北京大学", "用", "gpt", "4", "学习"]
    assert words("The cat") == ["the", "cat"]


def test_what_is_chinese_is_told_by_its_letters_alone() -> None:
    assert is_chinese("猫 sat")
    assert not any(map(is_chinese, ("", "123", "the cat", "これは猫です", "고양이", "the black cat 猫")))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's 3.5 km, isn't it?", ["it", "s", "3", "5", "km", "isn", "t", "it"]),
        ("今天Ｇｏｏｄ，Über 25℃", ["今", "天", "good", "über", "25", "c"]),
        ("Привет, мир_2", ["привет", "мир", "2"]),
        ("ひらがなとカナ々", list("ひらがなとカナ々")),
        ("한국어 문장", ["한국어", "문장"]),
        ("👍🏽 … ，", []),
        ("", []),
    ],
)
def test_running_tokens_are_words_of_any_script_and_single_characters(text: str, tokens: list[str]) -> None:
    assert running_tokens(text) == tokens


@given(st.text())
def test_running_tokens_hold_every_letter_once(text: str) -> None:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    letters = [character for character in folded if character.isalnum()]
    found = [character for token in running_tokens(text) for character in token if character.isalnum()]
    assert found == letters
    # One character of another script changes no other token.
    assert running_tokens(f"{text} 好") == [*running_tokens(text), "好"]


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3.0), (True, 1.0), (" 2.5 ", 2.5), ("１２", 12.0), (-0.5, -0.5), ("1e3", 1000.0)]
)
def test_numbers_are_read_from_text_as_well(value: object, number: float) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize("value", [None, "", "high", "三", "nan", float("inf"), "1e999", [1], {}, 10**400])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert number_of(value) != number_of(value)
