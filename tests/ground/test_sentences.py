"""Where sentences end, in English and Chinese: the cases that people trip over, and what holds of any text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.language import is_blank
from supertune.sentences import line_spans, sentence_spans, sentences, speaks_in_turns

ENGLISH = [
    "Mr. Smith went to Washington. | He met Dr. J. K. Rowling in the U.S. on Jan. 5.",
    "It cost $3.50! | Really? | Yes. | Version 2.0.1 is out.",
    "Kim et al. (2019) show it. | See Fig. 3, pp. 5 ff., and No. 5.",
    "No. | I don't. | He said no. | So what?",
    "George W. Bush won. | Lemons have vitamin C. | Oranges too.",
    "They came from the U.S. | The others did not.",
    "The U.S. Senate met at 5 p.m. on Monday until 6 p.m. | John left.",
    "We sell pens, ink, etc. | Paper is sold out. | I like Apple Inc. | Its phones are dear.",
    "e.g. this, i.e. that, and vs. those, approx. five.",
    "He lives on Main St. | The shop is in St. Louis.",
    'He said: "Go away." | She left. | "Really?" he asked. | "Yes!" | (It was late.) | Then he slept.',
    "“Is it so?” she said. | ‘It is.’ | He nodded (why? nobody knows) and left.",
    "She left... but came back. | Wait . . . what? | Hmm… | Fine.",
    "1. Mix the flour. | 2. Bake it (see p. 5).",
    "Go to http://example.org/?q=a.B&r=!x now. | Write to a.b@example.org.",
    "Where are you? | i am here. | then i slept; really! | iPhone is good.",
    "What?! | Never!!! | OK.",
    "It is known.[1] | So they say.[12][3] | Fine.",
    "He has a Ph.D. in physics. | Prof. Ann Lee and Sen. Ray do not.",
    "Rain, then: sun; then snow — all in May. | It was 3 a.m. | They slept.",
    'Tom ("Mr. T.") is here. | Sgt. Pepper too.',
]
CHINESE = [
    "他来了。| 她没有！| 为什么？| 不知道。",
    "“真的？”他问。| 我说：“你好！”| 然后走了。",
    "小王说：“今天下雨。| 我们不去了。”| 她点点头。",
    "我……不知道。| 他走了……| 我们留下来。",
    "电影《你好！李焕英》很好看。| 他（其实不想去！真的）还是去了。",
    "价格是3.5元，即３．５元。| 网址是example.org。| 完",
    "真的吗？！| 太好了！！！| “是啊……”| 他叹了口气。",
    "一．背景。| 我爱 Dr. Who 和 U.S. 邮票。| 好!| 走吧.| 再见",
    "「来吧！」| 他走了。| 『是吗？』| 不；不是，对吗：是的。",
    "他坐了8点的车.| 到了。| iPhone 15 Pro 很贵。| Hello. | 你好。",
]  # fmt: skip


def pieces(marked: str) -> list[str]:
    return [piece.strip() for piece in marked.split("|")]


@pytest.mark.parametrize("marked", [*ENGLISH, *CHINESE])
def test_sentences_end_where_people_end_them(marked: str) -> None:
    text = marked.replace(" | ", " ").replace("| ", "").replace("|", "")
    assert sentences(text) == pieces(marked)


def test_lines_end_sentences_unless_they_are_only_wrapped() -> None:
    assert sentences("A title\nThe first sentence. The second\r\n\r\n标题\n正文。\u2028end") == [
        *("A title", "The first sentence.", "The second", "标题", "正文。", "end"),
    ]  # fmt: skip
    wrapped = "Dear all, this letter is wrapped behind some sixty characters,\nas letters are. It ends\nhere"
    assert sentences(wrapped) == [wrapped[: wrapped.index(" It ends")], "It ends", "here"]
    # Short lines of a chat are not wrapped ones, nor are those behind an empty line.
    assert sentences("so what\nno idea") == ["so what", "no idea"]
    assert len(sentences("A line that is quite long and has no mark at its end\n\nand one more")) == 2


def test_spaces_that_were_forgotten() -> None:
    assert sentences("Great!Thanks a lot.") == ["Great!", "Thanks a lot."]
    assert sentences("It was late.He left") == ["It was late.He left"]


def test_turns_are_told_from_prose() -> None:
    assert speaks_in_turns("#Person1#: Hey Jimmy. Let's go.\n#Person2#: Sure.\n")
    assert speaks_in_turns("客服：您好，请问有什么问题？\n用户1：包裹没到。\n客服：好的。")
    assert speaks_in_turns("[10:32] Ann: hi\n[10:33] Dr. Lee: hello\n10:34 Ann: fine")
    assert speaks_in_turns("Ann: hi\nBob: hello\n\nAnn: so?\nBob: no\nhe left")
    assert not speaks_in_turns("Ann: hi")
    assert not speaks_in_turns("He said: no.\nThen he left the room and came back later on.\nSee: http://x.org")
    assert not speaks_in_turns("昨天下雨。\n今天晴。\n")
    assert not speaks_in_turns("")


ALPHABET = st.sampled_from(
    [*"abcXYZ 。！？!?….,;:\"'”“’（）()《》\n\r\t0123中文我\u200b\u3000é😀#-[]", "Mr. ", "U.S. ", "……"]
)


@given(st.lists(ALPHABET, max_size=80).map("".join))
def test_every_visible_character_is_in_one_sentence_verbatim(text: str) -> None:
    for spans in (sentence_spans(text), line_spans(text)):
        place = 0
        for start, end in spans:
            assert place <= start < end <= len(text)
            assert is_blank(text[place:start])
            assert text[start:end] == text[start:end].strip()
            assert not is_blank(text[start:end])
            place = end
        assert is_blank(text[place:])
    assert sentences(text) == [text[start:end] for start, end in sentence_spans(text)]


@given(st.lists(ALPHABET, max_size=60).map("".join))
def test_marks_alone_are_no_sentence_behind_another(text: str) -> None:
    for line in text.splitlines():
        for sentence in sentences(line)[1:]:
            assert any(map(str.isalnum, sentence))


@pytest.mark.parametrize("piece", ["Mr. ", "a.", "(", "《x", "! ", "他说。", "... ", "e.g. (a) "])
def test_the_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    begun = time.process_time()
    sentence_spans(piece * (40_000 // len(piece)))
    assert time.process_time() - begun < 4
