"""Answers nobody wants to learn from are told from those that only look alike, in English and in Chinese."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns, Finding, Layout
from supertune.data import OPERATORS, CheckInput, Table, clean, run_checks
from supertune.data.answers import echoes, ends_early, other_language, refusal_in
from supertune.data.check.answer_lengths import cut_at_one_length, far_out
from supertune.errors import UserError

PAIRS = Columns(
    ("prompt",),
    ("completion",),
    answers="generated",
    layout=Layout("prompt-completion", {"answer": "completion"}, "{prompt}"),
)


@pytest.mark.parametrize(
    "answer",
    [
        "As an AI language model, I don't have personal preferences.",
        "I’m sorry, but I can’t assist with that request.",
        "I'm sorry, but as an AI language model, I do not have access to real-time data.",
        "Sorry, I cannot help you with this.",
        "I cannot fulfill your request. It is harmful.",
        "Unfortunately, I am an AI language model and cannot draw.",
        "I'm sorry, but there is no input provided.",
        "抱歉，作为一个人工智能，我无法浏览网页。",
        "作为一款AI语言模型，我没有个人情感。",
        "对不起，我无法回答这个问题。",
        "很抱歉，您没有提供文本。请提供文本。",
        "由于我是一个人工智能助手，所以我并不能做饭。",
        "我是一个人工智能，没有身体。",
    ],
)
def test_refusals(answer: str) -> None:
    assert refusal_in(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry to hear that your parcel is late. It will arrive on Monday.",
        "I'm sorry, but we can't refund orders after 30 days.",
        "I'm sorry, but I'm unable to come into work today.",
        "As an AI engineer you can build chatbots.",
        "As an AI assistant, I can help you plan your trip.",
        "Artificial intelligence cannot feel.",
        "I can't wait to see you!",
        "I cannot recommend this book enough.",
        "很抱歉听到你生病了，早日康复。",
        "非常抱歉打扰您的时间。我写这封邮件是为了改期。",
        "对不起，是我错了。",
        "人工智能无法代替医生。",
        "作为一名老师，我不能迟到。",
        "抱歉，订单发货后不能退款。",
    ],
)
def test_what_only_sounds_like_a_refusal(answer: str) -> None:
    assert refusal_in(answer) is None


@pytest.mark.parametrize(
    ("asked", "answer", "is_one"),
    [
        ("What is the capital of France?", "What is the capital of France? It is Paris.", True),
        ("What is the capital of France?", "what is  the capital of France\nParis", True),
        ("法国的首都是哪里？", "法国的首都是哪里？是巴黎。", True),
        ("List three good fruits for me.\nRed ones.", "List three good fruits for me. Apple.", True),
        ("The steps of making a budget", "The steps of making a budget are these.", False),
        ("美国的三个政府职位。", "美国的三个政府职位是总统和两个别的。", False),
        ("Fix this sentence:\nhe go to the big school", "he go to the big school.", False),
        ("What is 1 + 1?", "What is 1 + 1? 2.", False),
        ("", "anything", False),
    ],
)
def test_echoes(asked: str, answer: str, is_one: bool) -> None:
    assert echoes(asked, answer) == is_one


@pytest.mark.parametrize(
    "answer",
    [
        "The model is simple. It is fast. In time it may need to be re",
        "The bird is no longer with us. It is gone. Its memory is a reminder of the importance of",
        "Here is the code:\n```python\nprint(1)\nfor row in rows:",
        "爵士乐的元素很多。不同音色的结合十分重要，比如萨克斯、小号、",
        "技术帮助我们学习。它也帮助我们工作，提高竞争力。\n\n4. 工作：",
        "他是著名的球员。他带领球队夺冠。后来他又获得了美洲杯亚军，并在202",
    ],
)
def test_unfinished_answers(answer: str) -> None:
    assert ends_early(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Paris",
        "是的",
        "The capital is Paris. It lies on the Seine.",
        "他说：“好。”",
        "- apples\n- pears and other fruits of the season\n- bread from the shop at the corner",
        "1. 苹果和梨，还有别的水果\n2. 面包和牛奶，还有别的东西",
        "Dear Ann,\nThank you. I will come on Monday.\n\nBest regards,\nThe customer service team of the shop in town",
        "Great news today. We won. Come and celebrate with all of us in the park #party #win",
        "```python\nprint(1)\n```",
        "Read this. It is good. See https://example.com/a/long/address/of-a-page-that-has-no-end",
        '"Stay hungry. Stay foolish. Follow your heart and intuition wherever they lead" - Steve Jobs',
        "roses are red\nviolets are blue\nsugar is sweet\nand so are the many people like you",
        "SELECT name FROM users WHERE age > 3 AND city = 'Paris' ORDER BY name",
        "很高兴。我们去玩吧，天气很好，大家都会开心的～",
    ],
)
def test_answers_that_end_as_they_like(answer: str) -> None:
    assert ends_early(answer) is None


@pytest.mark.parametrize(
    ("asked", "answer", "told"),
    [
        ("安排明天上午十点的会议。", "Certainly, I will schedule a meeting for you.", "Chinese → Latin"),
        ("Tell me about the history of tea.", "茶的历史可以追溯到几千年以前。", "Latin → Chinese"),
        ("Расскажи мне о длинной истории чая", "Tea has a history of many thousand years.", "Cyrillic → Latin"),
        ("把这句话翻译成英文：安排明天的会议。", "Please schedule a meeting for tomorrow.", None),
        ("Say it in Chinese: the history of tea.", "茶的历史可以追溯到几千年以前。", None),
        ("写一个计算平均值的函数。", "def mean(values): return sum(values) divided by len(values)", None),
        ("用 opulent 造一个句子，越长越好。", "The opulent ballroom was full of golden light.", None),
        ("世界上最好的编辑器是哪一个？", "Vim", None),
        ("世界上最高的山是哪一座呢？", "珠穆朗玛峰，英文名是 Mount Everest，高八千多米。", None),
        ("Which mountain is the highest of all?", "Mount Everest, by far the highest of them.", None),
    ],
)
def test_languages(asked: str, answer: str, told: str | None) -> None:
    assert other_language(asked, answer) == told


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=60)
def test_any_texts_can_be_looked_at(asked: str, answer: str) -> None:
    refusal_in(answer), echoes(asked, answer), ends_early(answer), other_language(asked, answer)


def test_lengths_that_are_no_chance() -> None:
    rng = np.random.default_rng(0)
    lengths = np.round(rng.lognormal(4.5, 0.8, 2000)).astype(np.int64)
    assert len(cut_at_one_length(lengths)) == 0
    limit = int(np.quantile(lengths, 0.95))
    cut = np.minimum(lengths, limit)
    assert cut_at_one_length(cut).tolist() == np.flatnonzero(lengths >= limit).tolist()
    assert len(cut_at_one_length(np.minimum(lengths, 10))) == 0
    assert len(cut_at_one_length(cut[:50])) == 0
    assert len(far_out(lengths)) == 0
    lengths[7], lengths[9] = 1_000_000, 0
    assert far_out(lengths).tolist() == [7]
    assert len(far_out(np.full(200, 5))) == 0


def _rows() -> list[dict[str, Any]]:
    rows = [{"prompt": f"Tell me how much {row} and 1 make.", "completion": f"It is {row + 1}."} for row in range(40)]
    rows[3]["completion"] = "I'm sorry, but I can't help with that."
    rows[5]["completion"] = "Tell me how much 5 and 1 make. It is 6."
    rows[7]["completion"] = "Let us count. That is soon done. First we take the number seven and then we add to it the"
    rows[9]["completion"] = "九加一等于十，这是很容易的。"
    return rows


def test_the_gate_tells_and_the_step_leaves_out() -> None:
    table = Table.from_rows(_rows())
    findings: list[Finding] = run_checks(CheckInput({"all": table}, PAIRS))
    told = {finding.check: (finding.rows, finding.severity) for finding in findings}
    expected = {"refusals": 3, "echoed-prompts": 5, "unfinished-answers": 7, "answer-language": 9}
    assert told == {check: ((row,), "info") for check, row in expected.items()}
    assert "--step 'answers: {signs: [refusals]}'" in findings[0].fix
    made = clean({"all": table}, PAIRS, [OPERATORS["answers"]()])
    assert sorted(set(range(40)) - set(made.tables["all"].row_ids.tolist())) == [3, 5, 7, 9]
    assert made.steps["all"][0].tally.removed[7] == "an answer is not finished"
    made = clean({"all": table}, PAIRS, [OPERATORS["answers"](signs=["echoes"])])
    assert len(made.tables["all"]) == 39
    with pytest.raises(UserError, match="no conversations"):
        clean({"all": table}, Columns(("prompt",), ("completion",)), [OPERATORS["answers"]()])
