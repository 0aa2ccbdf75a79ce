"""One paragraph in plain words on what queries find, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Score
from supertune.evaluate.telling import Words, teller, too_few

_WIDE = 0.2
_HARD = 0.5
"""Share of queries with the right passage first below which hard negatives are the first thing to try."""
WORDS: Words = {
    "en": {
        "rows": "queries",
        "first": "Of {n:,} {test} {n:query|queries} {unseen}, {first:.0%} find what they ask for in the first place; "
        "the mean of 1 ÷ rank is {mrr:.3f}.",
        "beside": "Comparing words alone (BM25) reaches {words:.3f}.",
        "metric": "the mean of 1 ÷ rank",
    },
    "zh": {
        "rows": "查询",
        "first": "{unseen}的 {n} 个{test}查询里，{first:.0%}把正确段落排在第一；排名倒数的平均值（MRR）为 {mrr:.3f}。",
        "beside": "只比较词语（BM25）可达 {words:.3f}。",
        "metric": " MRR",
    },
}
RIVALS: Mapping[str, Words] = {
    "untrained": {
        "en": {
            "rival": "what it was before training",
            "if behind": "Use the model as it was, or look at the worst errors in the report: something may be wrong "
            "in the rows.",
            "if unproven": "More training rows would help most: so far the model as it was does as well.",
            "hard": "To become better, try hard negatives (task.negatives=bm25) or larger batches first.",
        },
        "zh": {
            "rival": "训练前",
            "if behind": "请使用训练前的模型，或查看报告中最严重的错误：数据可能有问题。",
            "if unproven": "最有帮助的是更多训练数据：目前训练前的模型同样好。",
            "hard": "想要更好，请先试难负例（task.negatives=bm25）或更大的批次。",
        },
    },
    "bm25": {
        "en": {
            "rival": "words alone",
            "if behind": "Leave the order to the words, or look at the worst errors in the report: something may be "
            "wrong in the rows.",
            "if unproven": "More training rows would help most: so far words do as well.",
        },
        "zh": {
            "rival": "只比较词语",
            "if behind": "请直接按词语排序，或查看报告中最严重的错误：数据可能有问题。",
            "if unproven": "最有帮助的是更多训练数据：目前只比较词语同样好。",
        },
    },
}


def verdict_on_rankings(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    rival: str = "untrained",
    language: str = "en",
    split: str = "test",
) -> str:
    """Four sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``untrained``, ``bm25``) → its scores on the same rows.
        difference: The model minus ``rival`` in ``mrr``, or None.
        rival: The baseline that it is compared with in pairs.
        language: ``en`` or ``zh``.
        split: What the rows are: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    words = {language: {**own, **RIVALS[rival][language]} for language, own in WORDS.items()}
    tell = teller(words, language, split)
    ranks, first, bm25 = scores["mrr"], scores["recall@1"], baselines.get("bm25", {}).get("mrr")
    said = [
        tell("first", first=first, mrr=ranks, n=ranks.n),
        tell("beside", words=bm25.value) if bm25 else "",
        tell.compared(difference, decimals=3, points=False),
    ]
    follows = "hard" if rival == "untrained" and first.value < _HARD else "otherwise"
    return tell.paragraph(said, tell.advice(difference, vague=too_few(ranks, width=_WIDE), otherwise=follows))
