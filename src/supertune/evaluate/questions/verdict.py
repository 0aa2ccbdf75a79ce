"""One paragraph in plain words on answers to questions, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from supertune.contracts import Outcome, Score
from supertune.evaluate.telling import Words, teller, too_few

_WIDE = 0.2
_CLEARLY = 0.05
"""Share of questions answered for nothing, or left open for nothing, from which that is worth a word."""
WORDS: Words = {
    "en": {
        "exact": "Of {n:,} {test} {n:question|questions} {unseen}, {exact:.0%} were answered in exactly the right "
        "words.",
        "shared": "Given and right answers share {f1:.0%} of their words (F1).",
        "beside": "Quoting the sentence that resembles the question most reaches {sentence:.0%}.",
        "metric": "F1",
        "rival": "quoting sentences",
        "unanswered": "{without:.0%} of the questions have no answer in their text; {made_up:.0%} of these were given "
        "one, and {kept_back:.0%} of the others were given none.",
        "if behind": "Something is wrong: look at the answers in the report, and whether they stand where the "
        "data say.",
        "if unproven": "More training rows would help most: the model has hardly learned to find answers yet.",
        "almost": "To become better, add questions whose answer the text almost gives, and does not.",
    },
    "zh": {
        "exact": "{unseen}的 {n} 个{test}问题里，{exact:.0%}的回答与标准答案完全一致。",
        "shared": "回答与标准答案的重合程度（F1）为 {f1:.0%}。",
        "beside": "直接摘出与问题最相似的句子可达 {sentence:.0%}。",
        "metric": " F1",
        "rival": "直接摘句",
        "unanswered": "{without:.0%} 的问题在文中没有答案，其中 {made_up:.0%} 被误答；"
        "其余问题中有 {kept_back:.0%} 没有得到回答。",
        "if behind": "结果不正常：请查看报告中的回答，并检查答案位置是否与数据所写一致。",
        "if unproven": "最有帮助的是更多训练数据：模型还没有学会寻找答案。",
        "almost": "想要更好，请补充一些文中看似有答案、其实没有的问题。",
    },
}


def verdict_on_answers(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    outcome: Outcome,
    metric: str,
    *,
    language: str = "en",
    split: str = "test",
) -> str:
    """Four to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``sentence``) → its scores on the same rows.
        difference: The model minus that baseline in ``metric``, or None.
        outcome: The test rows.
        metric: ``f1`` or ``f1_cmrc``: which rules suit the texts.
        language: ``en`` or ``zh``.
        split: What the rows are: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    tell = teller(WORDS, language, split)
    f1, sentence = scores[metric], baselines.get("sentence", {}).get(metric)
    empty = np.array([not answer for answer in outcome.outputs], bool)
    without = np.array([not truths for truths in outcome.targets], bool)
    made_up = float((~empty)[without].mean()) if without.any() else 0.0
    kept_back = float(empty[~without].mean()) if not without.all() else 0.0
    said = [
        tell("exact", exact=scores[metric.replace("f1", "exact_match")], n=f1.n),
        tell("shared", f1=f1),
        tell("beside", sentence=sentence.value) if sentence else "",
        tell.compared(difference),
        tell("unanswered", without=float(without.mean()), made_up=made_up, kept_back=kept_back)
        if without.any()
        else "",
    ]
    almost = without.any() and max(made_up, kept_back) > _CLEARLY
    advice = tell.advice(difference, vague=too_few(f1, width=_WIDE), otherwise="almost" if almost else "otherwise")
    return tell.paragraph(said, advice)
