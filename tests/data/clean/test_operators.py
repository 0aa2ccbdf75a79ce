"""What each operator does to known texts, and what all of them keep to whatever they are given."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from supertune.data.clean import OPERATORS
from supertune.data.clean.operator import Batch, Filter, Operator, Roles, Selection, TextEdit
from supertune.errors import UserError

REQUIRED: dict[str, dict[str, Any]] = {
    "diverse": {"rows": 5},
    "fill": {"value": "–"},
    "language": {"keep": ["en"]},
    "review": {"file": "/nowhere/list.csv"},
}


def operator(name: str, **options: Any) -> Any:
    return OPERATORS[name](**{**REQUIRED.get(name, {}), **options})


def edit(name: str, text: str, **options: Any) -> str:
    edited = operator(name, **options)
    assert isinstance(edited, TextEdit)
    return edited.edit(text)


def reason(name: str, text: str, **options: Any) -> str | None:
    batch = Batch({"text": [text]}, Roles(("text",), ()), 1)
    (found,) = operator(name, **options).reasons(batch)
    return found


TEXT_EDITS = [name for name, kind in OPERATORS.items() if issubclass(kind, TextEdit)]
FILTERS = [name for name, kind in OPERATORS.items() if issubclass(kind, Filter)]
# What goes wrong in real texts, beside what Hypothesis thinks of.
ODD = st.sampled_from(
    [
        *"<>&;#\n\r\t \u3000\u00a0\u200b\u200d\ufeff\u202e\x00\x1b[]()\x85，。！？（）ＡＢ１２ｱﾞ🎉👍🏽①ﬁé\u0301",
        *("&amp;", "&lt;p&gt;", "<p>", "</p>", "<br/>", "<script>", "</script>", "<!--", "-->", "&#55296;", "www."),
        *("http://a.b/", "Ã©", "â€™", "浣犲ソ", "ÄãºÃ", "锟斤拷", "台灣", "ネコ", "\x1b[31m", "\r\n", "…", "ﷺ"),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(st.one_of(ODD, st.text(max_size=3)), max_size=12).map("".join))
VARIANTS = [
    *[(name, {}) for name in TEXT_EDITS],
    ("unicode", {"form": "NFKC"}),
    ("whitespace", {"spaces": "keep"}),
    ("whitespace", {"lines": "join"}),
    ("whitespace", {"spaces": "keep", "lines": "join", "blank_lines": 0}),
    ("width", {"punctuation": "half"}),
    ("emoji", {"action": "name"}),
    ("urls", {"action": "remove"}),
    ("repeats", {"characters": 1, "lines": 2}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
@settings(max_examples=30, deadline=None)
@given(text=TEXTS)
def test_an_edit_takes_any_text_and_does_nothing_the_second_time(name: str, options: dict[str, Any], text: str) -> None:
    once = edit(name, text, **options)
    assert isinstance(once, str)
    once.encode("utf-8")
    assert edit(name, once, **options) == once


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=20, deadline=None)
@given(text=TEXTS)
def test_a_filter_takes_any_text(name: str, text: str) -> None:
    found = reason(name, text)
    assert found is None or found


CLEAN = [
    "A plain sentence, with “quotes” and an ellipsis… fine?",
    "我在北京，今天（周五）很冷！“真的”……是吗？",
    "Prix : 12 € – déjà vu, Ünïcödé, ação, ñandú",
    "a < b and b > c, <3 AT&T <unk> R&D; if (x<y && y>z) return;",
    "日本語のテキスト、ｶﾞなし。",
    "Привет, как дела? Все хорошо.",
]


@pytest.mark.parametrize("name", ["encoding", "html", "control-characters", "unicode", "repeats", "urls"])
@pytest.mark.parametrize("text", CLEAN)
def test_what_is_in_order_stays_as_it_is(name: str, text: str) -> None:
    assert edit(name, text) == text


@pytest.mark.parametrize(
    ("broken", "right"),
    [
        ("schÃ¶n â€” donâ€™t", "schön — don’t"),
        ("浣犲ソ涓栫晫", "你好世界"),
        ("ÄãºÃÊÀ½ç", "你好世界"),
        ("评论：浣犲ソ涓栫晫 ok", "评论：你好世界 ok"),
        ("ä½\xa0å¥½ï¼Œä¸–ç•Œï¼", "你好，世界"),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет"),
    ],
)
def test_texts_are_read_again_in_the_encoding_they_were_written_in(broken: str, right: str) -> None:
    assert edit("encoding", broken).rstrip("！ï¼\x81") == right


CHINESE = "".join(chr(code) for code in range(0x4E00, 0x9FA6))


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from(CHINESE + "，。！？、：；“”（）《》…—0123456789abcXYZ \n"), max_size=60))
def test_chinese_that_is_in_order_is_never_repaired(text: str) -> None:
    assert edit("encoding", text) == text


COMMON = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多"
)


@settings(max_examples=80, deadline=None)
@given(st.text(st.sampled_from(COMMON + "，。！"), min_size=4, max_size=40))
def test_chinese_read_as_windows_or_gb_comes_back(text: str) -> None:
    assume(sum(character in COMMON for character in text) >= 2)
    latin = text.encode("gb2312").decode("latin-1")
    assert edit("encoding", latin) == text
    western = text.encode().decode("latin-1")
    assert edit("encoding", western) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<p>One</p><p>Two &amp; three</p>", "One\nTwo & three"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ('see <a href="x.html" target=_blank>this</a>', "see this"),
        ("<script>alert('<b>')</script>text<!-- note -->", "text"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("&#20320;&#x597d;", "你好"),
        ("<div>你好<span>世界</span></div>", "你好世界"),
        ("copy &copy 2020 &unknown; &#55296;", "copy &copy 2020 &unknown; &#55296;"),
        ("1 < 2 <b class='x'>yes</b>", "1 < 2 yes"),
    ],
)
def test_html(text: str, cleaned: str) -> None:
    assert edit("html", text) == cleaned


@pytest.mark.parametrize(
    ("name", "options", "text", "cleaned"),
    [
        ("control-characters", {}, "a\u200bb\ufeff\r\nc\x1b[31mred\x1b[0m\u202e", "ab\ncred"),
        ("control-characters", {}, "👨‍👩‍👧 می‌خواهم\t", "👨‍👩‍👧 می‌خواهم\t"),
        ("unicode", {}, "e\u0301 ①", "é ①"),
        ("unicode", {"form": "NFKC"}, "①ﬁ", "1fi"),
        ("whitespace", {}, "  a \u3000 b\u00a0\n\n\n\n c  ", "a b\n\nc"),
        ("whitespace", {"lines": "join"}, "a\n\n b", "a b"),
        ("whitespace", {"spaces": "keep"}, "def f():\n    return  1   \n\n\n\n", "def f():\n    return  1"),
        ("whitespace", {"blank_lines": 0}, "a\n\nb", "a\nb"),
        ("width", {}, "ＡＢＣ１２３，你好！ｶﾞ", "ABC123，你好！ガ"),
        ("width", {"punctuation": "half"}, "Ａ，（）", "A,()"),
        ("emoji", {}, "好👍🏽的 ❤️", "好的 "),
        ("emoji", {"action": "name"}, "good 👍", "good :thumbs_up:"),
        ("emoji", {"action": "name"}, "很好很好很好👍", "很好很好很好:拇指向上:"),
        ("script", {}, "繁體中文的軟體", "繁体中文的软体"),
        ("script", {"to": "traditional"}, "简体中文", "簡體中文"),
        ("script", {}, "日本語の國", "日本語の國"),
        ("urls", {}, "见https://a.cn/x?y=1，好 (www.b.com).", "见[URL]，好 ([URL])."),
        ("urls", {"action": "remove"}, "a http://x.y/z b", "a b"),
        ("urls", {}, "mail a@www.b.com", "mail a@www.b.com"),
        ("repeats", {}, "soooooo 哈哈哈哈哈哈 !!!!!! 1000000", "sooo 哈哈哈 !!! 1000000"),
        ("repeats", {}, "x\nx\nx\n\ny", "x\n\ny"),
        ("fill", {"value": "?"}, " \u3000", "?"),
        ("pii", {}, "写信给 li.wei@mail.cn 或拨打13812345678", "写信给 [EMAIL] 或拨打[PHONE]"),
        ("pii", {"kinds": ["email"]}, "li.wei@mail.cn 13812345678", "[EMAIL] 13812345678"),
    ],
)
def test_edits(name: str, options: dict[str, Any], text: str, cleaned: str) -> None:
    assert edit(name, text, **options) == cleaned


@pytest.mark.parametrize(
    ("name", "options", "text", "out"),
    [
        ("missing", {}, " \u200b\u3000", True),
        ("missing", {}, "x", False),
        ("damaged", {}, "abc \ufffd", True),
        ("damaged", {}, "锟斤拷", True),
        ("damaged", {"most": 1}, "abc \ufffd", False),
        ("length", {"least": 3}, "两字", True),
        ("length", {"least": 3}, "三个字", False),
        ("length", {"least": 2}, "word", True),
        ("length", {"most": 2}, "one two three", True),
        ("length", {"most": 5, "unit": "characters"}, "123456", True),
        ("symbols", {}, "-----+++ a", True),
        ("symbols", {}, "你好，世界！", False),
        ("symbols", {"most": 0.1}, "a, b. c!", True),
        ("language", {"keep": ["en"]}, "This is certainly an English sentence.", False),
        ("language", {"keep": ["en"]}, "这是一个很长很长的中文句子，没有英文，一个也没有。", True),
        ("language", {"keep": ["zh"]}, "我用 iPhone 和 MacBook 工作，在北京的办公室里写代码。", False),
        ("language", {"keep": ["zh"]}, "short", False),
    ],
)
def test_filters(name: str, options: dict[str, Any], text: str, out: bool) -> None:
    assert (reason(name, text, **options) is not None) == out


def test_missing_can_ask_for_every_text_and_for_a_label() -> None:
    values = {"a": ["x", "x", None], "b": ["", "y", None], "l": [1, None, 1]}
    batch = Batch(values, Roles(("a", "b"), ("l",)), 3)
    assert operator("missing").reasons(batch) == [None, None, "no text"]
    assert operator("missing", any_text=True).reasons(batch) == ["nothing in 'b'", None, "no text"]
    assert operator("missing", label="drop").reasons(batch) == [None, "no label", "no text"]


def test_labels_are_folded_renamed_and_told_from_numbers() -> None:
    labels = operator("labels", case="lower", map={"pos": "positive", 1: "one"})
    values = [" POS ", 1, True, "1", None, ["Pos", "positive", "x"]]
    assert labels.values(values) == ["positive", "one", True, "1", None, ["positive", "x"]]
    with pytest.raises(UserError, match="names no label 'neu'"):
        operator("labels", map={"pos": 1}, others="refuse").value("neu")


@pytest.mark.parametrize("name", [name for name in OPERATORS if name not in ("labels", "fill")])
def test_messages_are_changed_in_what_people_say_and_nowhere_else(name: str) -> None:
    changing = operator(name)
    if not isinstance(changing, TextEdit):
        return
    dirty = " <b>ÄãºÃ</b>  \u200bＡ  台灣 👍 http://a.b !!!!!! e\u0301 "
    call = {"id": "  x", "type": " f ", "function": {"name": dirty, "arguments": json.dumps({"a": dirty})}}
    messages = [
        {"role": "user", "content": dirty},
        {"role": "assistant", "content": None, "tool_calls": [call], "weight": 1},
        {"from": " gpt", "value": dirty},
    ]
    (after,) = changing.values([messages])
    said = changing.edit(dirty)
    assert after == [{"role": "user", "content": said}, messages[1], {"from": " gpt", "value": said}]


def test_every_emoji_is_looked_at() -> None:
    import emoji

    for one in emoji.EMOJI_DATA:
        assert edit("emoji", f"a{one}b") == "ab", one


def test_every_operator_says_what_it_is_and_what_its_options_mean() -> None:
    for name, kind in OPERATORS.items():
        assert issubclass(kind, Operator)
        assert kind.name == name
        assert (kind.__doc__ or "").strip()
        for option, described in kind.model_fields.items():
            assert described.description, f"{name}.{option}"
        assert operator(name).options == REQUIRED.get(name, {})
    assert any(issubclass(kind, Selection) for kind in OPERATORS.values())
