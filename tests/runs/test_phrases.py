"""Sentences of other rooms on Chinese pages: said in Chinese where they are known, never lost or mixed up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Grid, Outcome, Score, Section
from supertune.evaluate import measure
from supertune.runs import Report, render_report
from supertune.runs.report.phrases import in_language

SAID = {
    "conversations: 'm' (lists of messages; user, assistant)": "对话：'m' 列（消息列表；user, assistant）",
    "alpaca, by their names: '指令' and '输入'; answer: '输出'": (
        "alpaca 格式，按列名识别：'指令' 和 '输入'；回答：'输出'"
    ),
    "documents and summaries, by their names: '文章'": "文章与摘要，按列名识别：'文章'",
    "prompt: {a}\\n{{b}} (another with --set task.prompt=…)": "提示语：{a}\\n{{b}}（用 --set task.prompt=… 更换）",
    "an answer ends with <eos> or <|im_end|>": "回答以 <eos> or <|im_end|> 结束",
    "2 rows (0, 4) cut to 64 tokens, of which 1 lost some of their answer": (
        "2 行（0, 4）截到 64 个词元，其中 1 行丢了一部分回答"
    ),
    "training is refused because of rows 0, 4": "因为第 0, 4 行，不能训练",
    "* 本模型: interval is approximate: it rests on 6 rows": "* 本模型: 区间为近似值：仅依据 6 行",
}


@pytest.mark.parametrize(("english", "chinese"), SAID.items())
def test_known_sentences_are_said_in_chinese_with_everything_that_stands_in_them(english: str, chinese: str) -> None:
    assert in_language(english, "zh") == chinese
    assert in_language(english, "en") == english


@given(st.text())
def test_what_is_not_known_stays_as_it_is(sentence: str) -> None:
    assert in_language(f"a sentence that nobody has said: {sentence}", "zh").endswith(sentence)
    assert in_language(sentence, "en") == sentence


@pytest.mark.parametrize("rows", [6, 12, 40])
def test_warnings_that_scores_really_carry_are_known(rows: int) -> None:
    random = np.random.default_rng(rows)
    targets = np.arange(rows) % 2
    outputs = random.dirichlet((1.0, 1.0), rows)
    scores = measure(Outcome(targets, outputs, ("good", "bad")), ["accuracy", "f1_macro", "log_loss", "ece"]).scores
    warnings = {score.warning for score in scores.values() if score.warning}
    assert warnings
    for warning in warnings:
        assert in_language(warning, "zh").startswith("区间为近似值"), warning


def test_a_chinese_report_says_them_below_its_tables_and_a_missing_number_is_one() -> None:
    few = Score(0.5, 0.1, 0.9, 6, "bleu|x", "interval is approximate: it rests on 6 rows")
    grid = Grid(("指标", "甲", "乙"), (("BLEU", few, few), ("chrF", few, "–")))
    report = Report(title="t", verdict="v", headline={}, sections=(Section("s", (grid,)),), language="zh")
    page = render_report(report)
    assert "<bdi>区间为近似值：仅依据 6 行</bdi>" in page
    assert "interval is approximate" not in page
    assert page.count('<th scope="col" class="number">') == 2
