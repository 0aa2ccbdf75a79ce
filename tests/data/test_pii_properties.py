"""What holds for every text: no finder raises, places are exact, masked texts hold nothing, the quick look is safe."""

import sys
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.data.pii import KINDS, REGIONS, Pseudonyms, find_pii, mask
from supertune.data.pii.finding import may_hold
from supertune.data.pii.folding import fold_width

steady = settings(deadline=None, derandomize=True, max_examples=300)
ITEMS = (
    "13812345678", "+86 138 1234 5678", "(415) 555-2671", "a.b@qq.com", "11010519491231002X", "110105491231002",
    "4111 1111 1111 1111", "GB82 WEST 1234 5698 7654 32", "536-22-1234", "8.8.8.8", "2001:4860:4860::8888",
    "护照E12345678", "passport 086715368", "京A·12345", "plate LB20 HJZ", "password: hunter22", "密码是abc12345",
    "AKIAIOSFODNN7EXAMPLE", "https://a:b1c@d.org", "-----BEGIN PRIVATE KEY-----", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.",
    "电话88886666", "１３８１２３４５６７８", "x@", "订单号", "version", "[PHONE]", "[SECRET]",
)  # fmt: skip
GLUE = (
    "",
    " ",
    "，",
    "-",
    ".",
    ":",
    "@",
    "/",
    "1",
    "a",
    "号",
    "\u200b",
    "\u202d",
    "é",
    "e\u0301",
    "😀",
    "👍🏽",
    "\ud800",
    "\n",
)
pieces = (
    st.sampled_from(ITEMS) | st.sampled_from(GLUE) | st.text(max_size=6) | st.text("0123456789 -.:@+Xx()", max_size=20)
)
texts = st.lists(pieces, max_size=10).map("".join)
key = Pseudonyms("a key for the tests")


def wide(text):
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


@steady
@given(texts)
def test_spans_are_inside_the_text_ascending_and_disjoint_and_masking_changes_nothing_else(text):
    spans = find_pii(text)
    end = 0
    for span in spans:
        assert end <= span.start < span.end <= len(text)
        end = span.end
    outside = [
        text[a:b] for a, b in zip([0, *(s.end for s in spans)], [*(s.start for s in spans), len(text)], strict=True)
    ]
    masked = mask(text, spans)
    for left, span in zip(outside, [*spans, None], strict=True):
        assert masked.startswith(left)
        masked = masked[len(left) :]
        if span is not None:
            assert masked.startswith(KINDS[span.kind].placeholder)
            masked = masked[len(KINDS[span.kind].placeholder) :]
    assert masked == ""


@steady
@given(texts)
def test_nothing_is_found_in_a_masked_text_and_masking_again_changes_nothing(text):
    masked = mask(text, find_pii(text))
    assert find_pii(masked) == []


@steady
@given(texts)
def test_the_quick_look_passes_over_nothing(text):
    if not may_hold(text):
        folded = fold_width(text)
        assert [found for kind in KINDS.values() for found in kind.find(folded, REGIONS)] == []


@steady
@given(st.text() | texts)
def test_folding_keeps_the_place_of_every_character(text):
    folded = fold_width(text)
    for place, sign in enumerate(folded.text):
        start, end = folded.original(place, place + 1)
        assert end == start + 1
        assert fold_width(text[start]).text == sign or not sign.isascii()


def test_all_digits_spaces_and_invisible_characters_of_unicode_are_folded():
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Nd":
            assert fold_width(f"字{character}").text == f"字{unicodedata.decimal(character)}", hex(code)
        elif category == "Zs":
            assert fold_width(f"字{character}").text == "字 ", hex(code)
        elif category == "Cf":
            assert fold_width(f"字{character}").text == "字", hex(code)


@steady
@given(st.sampled_from(ITEMS), st.text("好的a ，", max_size=5), st.text("好的😀 ，", max_size=5))
def test_full_width_texts_hold_what_those_of_usual_width_hold(item, before, behind):
    text = f"{before} {item} {behind}"
    usual = [(span.start, span.end, span.kind, span.normal) for span in find_pii(text)]
    # Full-width commas and the like end sentences, which their usual forms do not.
    assert [(s.start, s.end, s.kind, s.normal) for s in find_pii(text.replace(item, wide(item)))] == usual


@steady
@given(texts)
def test_pseudonyms_change_nothing_outside_of_items_and_are_the_same_twice(text):
    spans = find_pii(text)
    first = key.replace(text, spans)
    assert first == Pseudonyms("a key for the tests").replace(text, find_pii(text))
    assert len(first) == len(text) + sum(len(key.of(span)) - (span.end - span.start) for span in spans)
