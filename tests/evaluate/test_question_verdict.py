"""What needs no training to answer questions, and the verdict on answers in words."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Outcome
from supertune.errors import UserError
from supertune.evaluate import SentenceBaseline, measure, paired_difference, row_values, verdict_on_answers
from supertune.sentences import sentences


def outcome(truths: list[tuple[str, ...]], answers: list[str]) -> Outcome:
    targets, outputs = np.empty(len(truths), object), np.empty(len(answers), object)
    for row, (truth, answer) in enumerate(zip(truths, answers, strict=True)):
        targets[row], outputs[row] = truth, answer
    return Outcome(targets, outputs, answers="answers")


def test_sentences_end_where_people_end_them() -> None:
    assert sentences("A cat. It cost 3.50! 他来了。“真的？”\n好\n") == [
        "A cat.", "It cost 3.50!", "他来了。", "“真的？”", "好",
    ]  # fmt: skip
    assert sentences("") == sentences(" \n ") == []
    for text in ("no end", "a.b.c", "Wait… what?!", "Dr. No. 是"):
        assert "".join(sentences(text)).replace(" ", "") == text.replace(" ", "").replace("\n", "")


def test_the_sentence_most_like_the_question_is_quoted() -> None:
    baseline = SentenceBaseline()
    baseline.fit(["The cat sat. The dog ran.", "The cat is here.", "北京很大。上海也大。"])
    found = baseline.predict(
        ["What did the dog do?", "上海怎么样？", "Anything?", "What?"],
        ["The cat sat. The dog ran. The end.", "北京很大。上海也大。", "", "First. Second."],
    )
    assert found == ["The dog ran.", "上海也大。", "", "First."]


def test_the_verdict_says_what_was_measured_in_both_languages() -> None:
    truths: list[tuple[str, ...]] = [("the cat",), ("a dog",), (), ("here",)] * 15
    found = outcome(truths, ["cat", "the big dog", "", "there"] * 15)
    rival = outcome(truths, ["The cat sat.", "", "A dog ran.", ""] * 15)
    scores, others = (measure(one, ["exact_match", "f1"]).scores for one in (found, rival))
    difference = paired_difference(found, rival, "f1")
    assert row_values(found, "f1").mean() == pytest.approx(scores["f1"].value)
    english = verdict_on_answers(scores, {"sentence": others}, difference, found, "f1")
    for said in ("Of 60 test questions", "50 %", "25 % of the questions have no answer", "0 % of these were given"):
        assert said in english
    chinese = verdict_on_answers(scores, {"sentence": others}, difference, found, "f1", language="zh")
    assert "60 个测试问题" in chinese
    assert "25% 的问题在文中没有答案" in chinese
    alone = verdict_on_answers(scores, {}, None, found, "f1")
    assert "Quoting" not in alone
    with pytest.raises(UserError, match="cannot be written"):
        verdict_on_answers(scores, {}, None, found, "f1", language="xx")
