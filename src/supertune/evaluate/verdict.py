"""One paragraph in plain words on answers that are classes: how good, how sure, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Score
from supertune.evaluate.telling import Teller, Words, scaled, teller, too_few

_WIDE = 0.2
_VAGUE = 0.4
"""Width of the accuracy's interval from which one number for it would mislead."""
_FEW_CLASS_ROWS = 20
_TRUSTED_ERROR = 0.05
_WEAK_GAP = 0.05
_LEVEL = 0.01
WORDS: Words = {
    "en": {
        "right": "Out of {scale:,} texts like these, expect {right:,} right, and it would be surprising if the truth "
        "were {outside}; this is measured on {n:,} {test} {n:row|rows} {unseen}.",
        "below": "below {low:,}",
        "above": "above {high:,}",
        "below or above": "below {low:,} or above {high:,}",
        "vague": "Out of {scale:,} texts like these, anything from {low:,} to {high:,} may be right: "
        "{n:,} {test} {n:row|rows} {unseen} cannot tell more.",
        "tfidf": "counting words (TF-IDF with logistic regression) gets {right:,}",
        "majority": "always answering with the most frequent class gets {right:,}",
        "beside": "{baselines} of {scale:,} right on the same rows{doubt}.",
        "no better": ", and this test does not show that the model knows more than that",
        "metric": "macro F1 (every class counted alike)",
        "rival": "TF-IDF",
        "label": "class",
        "few of it": ", too few to tell how weak it really is",
        "confidence": "When the model says how sure it is, its confidence is {error:.1f points} away from the share "
        "of right answers on average, {meaning}.",
        "believable": "so a confidence of 90 % means about 9 right out of 10, to within 5 points on average",
        "off": "so do not read a confidence of 90 % as 9 right out of 10",
        "unknown": "and {n:,} {n:row|rows} cannot tell whether it stays within 5 points",
        "too few": "What would help most: more {test} rows, because with {n:,} {n:row|rows} the accuracy is only known "
        "to within {width:.0f} points.",
        "if behind": "What would help most: use TF-IDF, which is better here and costs a fraction as much to run.",
        "as good": "What would help most: use TF-IDF, which is within 1 point and costs a fraction as much to run.",
        "if unproven": "What would help most: use TF-IDF, which costs a fraction as much to run, until more {test} "
        "rows show that this model is better.",
        "more of some": "What would help most: more labelled rows for “{weakest}”.",
    },
    "zh": {
        "right": "每 {scale} 条类似的文本，预计答对 {right} 条；若真实水平{outside}，则出乎意料"
        "（依据{unseen}的 {n} 条{test}数据）。",
        "below": "低于 {low} 条",
        "above": "高于 {high} 条",
        "below or above": "低于 {low} 条或高于 {high} 条",
        "vague": "每 {scale} 条类似的文本，答对 {low} 至 {high} 条都有可能："
        "{unseen}的{test}数据只有 {n} 条，无法说得更准。",
        "tfidf": "只统计词频的方法（TF-IDF 加逻辑回归）答对 {right} 条",
        "majority": "总是回答最常见的类别则答对 {right} 条",
        "beside": "在同样的数据上，每 {scale} 条中{baselines}{doubt}。",
        "no better": "，这次测试还不能证明模型比后者懂得更多",
        "metric": "宏平均 F1（各类别同等看待）",
        "rival": " TF-IDF ",
        "label": "类别",
        "few of it": "，数据太少，说不准它究竟有多弱",
        "confidence": "模型给出的置信度与实际答对的比例平均相差 {error:.1f 个百分点}，{meaning}。",
        "believable": "因此置信度 90% 大致就是十次对九次，平均误差不超过 5 个百分点",
        "off": "因此不要把置信度 90% 当作十次对九次",
        "unknown": "而 {n} 条数据不足以判断误差是否在 5 个百分点以内",
        "too few": "最有帮助的是增加{test}数据：只有 {n} 条时，准确率的范围宽达 {width:.0f} 个百分点。",
        "if behind": "最有帮助的是改用 TF-IDF：它在这里更好，运行成本也只是零头。",
        "as good": "最有帮助的是改用 TF-IDF：差距不到 1 个百分点，而运行成本只是零头。",
        "if unproven": "最有帮助的是先用 TF-IDF（运行成本只是零头），直到更多{test}数据证明这个模型更好。",
        "more of some": "最有帮助的是为“{weakest}”标注更多数据。",
    },
}


def verdict(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    n_test: int,
    test_counts: Mapping[str, int],
    train_counts: Mapping[str, int] | None = None,
    language: str = "en",
    split: str = "test",
) -> str:
    """Four to seven sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows; ``accuracy`` at least, better with ``f1_macro ece f1/<label>``.
        baselines: Name (``majority``, ``tfidf``) → its scores on the same rows.
        difference: The model minus TF-IDF in macro F1 from `paired_difference`, or None.
        n_test: Number of test rows.
        test_counts: Label → number of test rows that truly have it.
        train_counts: Label → number of training rows, for the advice.
        language: ``en`` or ``zh``.
        split: What the rows are: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    tell = teller(WORDS, language, split)
    accuracy, calibration = scores["accuracy"], scores.get("ece")
    weakest = _weakest(scores, test_counts)
    overall = scores.get("f1_macro", accuracy).value
    follows, known = "otherwise", (train_counts or {}).get(weakest or "", 0)
    if weakest is not None and scores[f"f1/{weakest}"].value < overall - _WEAK_GAP:
        follows = "more of some" if train_counts is None else "more of it"
    as_good = difference is not None and max(-difference.low, difference.high) < _LEVEL
    said = [
        _right(tell, accuracy, n_test),
        _beside(tell, accuracy, baselines),
        tell.compared(difference),
        "" if weakest is None else _told_of(tell, weakest, scores, test_counts[weakest]),
        "" if calibration is None else _confidence(tell, calibration),
    ]
    advice = tell.advice(
        difference,
        vague=too_few(accuracy, width=_WIDE, rows=0),
        unproven="as good" if as_good else "if unproven",
        otherwise=follows,
        n=n_test,
        width=100 * (accuracy.high - accuracy.low),
        weakest=weakest or "",
        known=known,
    )
    return tell.paragraph(said, advice)


def _scale(accuracy: Score) -> int:
    """100, or more where whole numbers out of 100 would hide the interval."""
    width = accuracy.high - accuracy.low
    return 100 if width >= 0.03 else 1_000 if width >= 0.003 else 10_000


def _right(tell: Teller, accuracy: Score, n: int) -> str:
    scale = _scale(accuracy)
    out_of = scaled(accuracy, scale)
    right, low, high = (round(part) for part in (out_of.value, out_of.low, out_of.high))
    if accuracy.high - accuracy.low > _VAGUE:
        return tell("vague", scale=scale, low=low, high=high, n=n)
    outside = "above" if low <= 0 else "below" if high >= scale else "below or above"
    return tell("right", scale=scale, right=right, outside=tell(outside, low=low, high=high), n=n)


def _beside(tell: Teller, accuracy: Score, baselines: Mapping[str, Mapping[str, Score]]) -> str:
    measured = {name: baselines.get(name, {}).get("accuracy") for name in ("tfidf", "majority")}
    known = {name: score.value for name, score in measured.items() if score}
    if not known:
        return ""
    scale = _scale(accuracy)
    told = tell.listed(tell(name, right=round(scale * value)) for name, value in known.items())
    better = "majority" not in known or accuracy.low > known["majority"]
    return tell("beside", baselines=told, scale=scale, doubt="" if better else tell("no better"))


def _weakest(scores: Mapping[str, Score], counts: Mapping[str, int]) -> str | None:
    """The class with the lowest F1 among those that have test rows; None for one class or no mistake."""
    known = {label: scores[f"f1/{label}"].value for label, n in counts.items() if n > 0 and f"f1/{label}" in scores}
    label = min(known, key=lambda name: (known[name], counts[name]), default=None)
    return label if label is not None and len(known) > 1 and known[label] < 1 else None


def _told_of(tell: Teller, weakest: str, scores: Mapping[str, Score], rows: int) -> str:
    doubt = tell("few of it") if rows < _FEW_CLASS_ROWS else ""
    return tell("weakest", weakest=weakest, f1=scores[f"f1/{weakest}"], n=rows, doubt=doubt)


def _confidence(tell: Teller, error: Score) -> str:
    """Whether confidences can be taken at their word, to within 5 points."""
    meaning = "off" if error.low > _TRUSTED_ERROR else "unknown" if error.high > _TRUSTED_ERROR else "believable"
    return tell("confidence", error=scaled(error, 100), meaning=tell(meaning, n=error.n))
