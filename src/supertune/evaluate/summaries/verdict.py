"""One paragraph in plain words on extracts, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Score
from supertune.evaluate.telling import Words, teller, too_few

_METRIC = "rouge1"
_WIDE = 0.1
_NEAR = 0.9
"""Share of what the best extract reaches from which little is left to learn."""
WORDS: Words = {
    "en": {
        "score": "On {n:,} {test} {n:document|documents} {unseen}, extracts and summaries have {rouge:.1%} of their "
        "words in common (ROUGE-1).",
        "metric": "ROUGE-1",
        "rival": "taking the first sentences",
        "beside": "The most central sentences reach {textrank:.1%}, and no more than about {best:.1%} is within reach "
        "of any extract: people wrote in other words than the documents'.",
        "if behind": "Something is wrong: look at the extracts in the report, and whether the summaries are of these "
        "documents.",
        "if unproven": "More training rows would help most: the model has hardly learned more yet than that beginnings "
        "matter.",
        "near": "Hardly anything is left for extracts to gain.",
        "otherwise": "To become better, add training rows, or look at the documents in the report of which most was "
        "missed.",
    },
    "zh": {
        "score": "在{unseen}的 {n} 篇{test}文档上，抽取的句子与人写的摘要的重合程度（ROUGE-1）为 {rouge:.1%}。",
        "metric": " ROUGE-1",
        "rival": "直接取开头几句",
        "beside": "取最居中的句子（TextRank）可达 {textrank:.1%}；任何抽取方法至多约 {best:.1%}，"
        "因为摘要并非照抄原文。",
        "if behind": "结果不正常：请查看报告中抽取的句子，并检查摘要与文档是否对应。",
        "if unproven": "最有帮助的是更多训练数据：除了“开头重要”，模型几乎还没有学到别的。",
        "near": "抽取式摘要已几乎没有提升的余地。",
        "otherwise": "想要更好，请补充训练数据，或先查看报告中遗漏最多的文档。",
    },
}


def verdict_on_summaries(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    language: str = "en",
    split: str = "test",
) -> str:
    """Three to five sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``lead``, ``textrank``, ``oracle``) → its scores on the same rows.
        difference: The model minus ``lead`` in ROUGE-1, or None.
        language: ``en`` or ``zh``.
        split: What the rows are: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    tell = teller(WORDS, language, split)
    score, others = (
        scores[_METRIC],
        {name: found[_METRIC].value for name, found in baselines.items() if _METRIC in found},
    )
    both = {"textrank", "oracle"} <= others.keys()
    said = [
        tell("score", rouge=score, n=score.n),
        tell.compared(difference),
        tell("beside", textrank=others["textrank"], best=others["oracle"]) if both else "",
    ]
    near = "oracle" in others and score.value >= _NEAR * others["oracle"]
    follows = {"unproven": "near", "otherwise": "near"} if near else {}
    return tell.paragraph(said, tell.advice(difference, vague=too_few(score, width=_WIDE), **follows))
