"""One paragraph in plain words on entities found in texts, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Score
from supertune.evaluate.telling import Words, scaled, teller, too_few, weakest_label

_WIDE = 0.15
"""Width of the interval of F1 from which the test rows are too few to say how good the model is."""
_FEW_ENTITIES = 20
_WEAK_GAP = 0.1
WORDS: Words = {
    "en": {
        "recall": "Of 100 entities in texts like these, expect {recall:.0f} to be found with exactly the right "
        "characters and label; this is measured on {n:,} {test} {n:row|rows} {unseen}.",
        "precision": "Of 100 that it gives, {precision:.0f} are right.",
        "nothing": "There is no entity in the {test} rows, and none was given.",
        "beside": "Looking up the entities of the training rows reaches an F1 of {dictionary:.0%}.",
        "metric": "F1",
        "rival": "looking up known entities",
        "simple": "looking up known entities",
        "new": "Of the {n:,} {test} entities whose words no training entity has, it finds {found:.0%}: this is how it "
        "goes with names that it has never met.",
        "weakest": "The weakest label is “{weakest}”, with an F1 of {f1:.0%} on {n:,} {test} entities.",
        "more of it": "What would help most: more entities of “{weakest}” (there {known:is|are} {known:,} training "
        "{known:one|ones} now).",
    },
    "zh": {
        "recall": "类似文本中的每 100 个实体，预计 {recall:.0f 个}的边界与标签都完全正确"
        "（依据{unseen}的 {n} 条{test}数据）。",
        "precision": "它给出的每 100 个实体中，{precision:.0f 个}是对的。",
        "nothing": "{test}数据中没有实体，模型也没有给出任何实体。",
        "beside": "直接查找训练数据中出现过的实体，F1 可达 {dictionary:.0%}。",
        "metric": " F1",
        "rival": "查找已知实体",
        "simple": "查找已知实体",
        "new": "{test}数据中有 {n} 个实体的文字从未在训练实体中出现，其中 {found:.0%} 被找到："
        "遇到没见过的名称时，大致就是这个水平。",
        "weakest": "最弱的标签是“{weakest}”，F1 为 {f1:.0%}，依据 {n} 个{test}实体。",
        "more of it": "最有帮助的是更多“{weakest}”实体（目前训练数据中有 {known} 个）。",
    },
}


def verdict_on_spans(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    test_counts: Mapping[str, int],
    train_counts: Mapping[str, int],
    new: tuple[int, int],
    language: str = "en",
    split: str = "test",
) -> str:
    """Four to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``dictionary``) → its scores on the same rows.
        difference: The model minus that baseline in micro F1, or None.
        test_counts: Label → number of its entities in the test rows.
        train_counts: Label → number of its entities in the training rows.
        new: Of the true test entities with words that no training entity has, how many are found, and how many there
            are.
        language: ``en`` or ``zh``.
        split: What the rows are: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    tell = teller(WORDS, language, split)
    shares = {name: scores[f"{name}_micro"] for name in ("recall", "precision") if f"{name}_micro" in scores}
    dictionary = baselines.get("dictionary", {}).get("f1_micro")
    weakest = weakest_label(scores, test_counts, fewest=_FEW_ENTITIES, gap=_WEAK_GAP)
    said = [
        *(tell(name, n=score.n, **{name: scaled(score, 100)}) for name, score in shares.items()),
        "" if shares else tell("nothing"),
        tell("beside", dictionary=dictionary.value) if dictionary else "",
        tell.compared(difference),
        tell("new", n=new[1], found=new[0] / new[1]) if new[1] >= _FEW_ENTITIES else "",
        tell("weakest", weakest=weakest, f1=scores[f"f1/{weakest}"], n=test_counts[weakest]) if weakest else "",
    ]
    vague = "f1_micro" not in scores or too_few(scores["f1_micro"], width=_WIDE, rows=0)
    follows = "more of it" if weakest else "otherwise"
    known = train_counts.get(weakest or "", 0)
    advice = tell.advice(difference, vague=vague, otherwise=follows, weakest=weakest or "", known=known)
    return tell.paragraph(said, advice)
