"""One paragraph in plain words on answers that are sets of labels, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Score
from supertune.evaluate.telling import Words, scaled, teller, too_few, weakest_label

_WIDE = {"f1_micro": 0.1, "subset_accuracy": 0.2}
"""Widths of intervals from which the test rows are too few to say how good the model is."""
_WEAK_GAP = 0.1
_FEW_ROWS = 20
WORDS: Words = {
    "en": {
        "exact": "Out of 100 texts like these, expect {exact:.0f} to get exactly the right labels; this is measured on "
        "{n:,} {test} {n:row|rows} {unseen}.",
        "precision": "Of 100 labels that it gives, {precision:.0f} are right.",
        "recall": "Of 100 labels that texts truly have, it finds {recall:.0f}.",
        "tfidf": "counting words (TF-IDF with a logistic regression for each label) gets {right:.0f}",
        "majority": "always giving the most frequent set of labels gets {right:.0f}",
        "beside": "{baselines} of 100 exactly right on the same rows.",
        "metric": "F1 over all labels",
        "rival": "TF-IDF",
        "simple": "counting words",
    },
    "zh": {
        "exact": "每 100 条类似的文本，预计 {exact:.0f 条}的标签完全正确（依据{unseen}的 {n} 条{test}数据）。",
        "precision": "它给出的每 100 个标签中，{precision:.0f 个}是对的。",
        "recall": "文本真正具有的每 100 个标签中，它能找出 {recall:.0f 个}。",
        "tfidf": "只统计词频的方法（TF-IDF，每个标签一个逻辑回归）完全正确 {right:.0f} 条",
        "majority": "总是给出最常见的标签组合完全正确 {right:.0f} 条",
        "beside": "在同样的数据上，每 100 条中{baselines}。",
        "metric": "全部标签的 F1",
        "rival": " TF-IDF ",
        "simple": "统计词频",
    },
}


def verdict_on_sets(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    test_counts: Mapping[str, int],
    train_counts: Mapping[str, int],
    language: str = "en",
    split: str = "test",
) -> str:
    """Four to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``majority``, ``tfidf``) → its scores on the same rows.
        difference: The model minus TF-IDF in micro F1 from `paired_difference`, or None.
        test_counts: Label → number of test rows that truly have it.
        train_counts: Label → number of training rows.
        language: ``en`` or ``zh``.
        split: What the rows are: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    tell = teller(WORDS, language, split)
    exact = scores["subset_accuracy"]
    shares = {name: scores[f"{name}_micro"] for name in ("precision", "recall") if f"{name}_micro" in scores}
    rivals = {name: baselines[name]["subset_accuracy"] for name in ("tfidf", "majority") if name in baselines}
    beside = tell.listed(tell(name, right=100 * score.value) for name, score in rivals.items())
    weakest = weakest_label(scores, test_counts, fewest=_FEW_ROWS, gap=_WEAK_GAP)
    said = [
        tell("exact", exact=scaled(exact, 100), n=exact.n),
        *(tell(name, **{name: scaled(score, 100)}) for name, score in shares.items()),
        tell("beside", baselines=beside) if beside else "",
        tell.compared(difference),
        tell("weakest", weakest=weakest, f1=scores[f"f1/{weakest}"], n=test_counts[weakest], doubt="")
        if weakest
        else "",
    ]
    vague = any(name not in scores or too_few(scores[name], width=width, rows=0) for name, width in _WIDE.items())
    follows = "more of it" if weakest else "otherwise"
    known = train_counts.get(weakest or "", 0)
    advice = tell.advice(difference, vague=vague, otherwise=follows, weakest=weakest or "", known=known)
    return tell.paragraph(said, advice)
