"""One paragraph in plain words on answers that are numbers, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supertune.contracts import Score
from supertune.evaluate.telling import Teller, Words, teller, too_few

_WIDE = 0.2
"""Width of the interval of R² from which the test rows are too few to say how good the model is."""
WORDS: Words = {
    "en": {
        "off": "Answers are off by {error:,.3g} on average{beside}.",
        "off in column": "For {column}, answers are off by {error:,.3g} on average{beside}.",
        "beside": "; {baselines}",
        "mean": "always answering the mean of the training rows by {off:,.3g}",
        "tfidf": "counting words (TF-IDF with ridge regression) by {off:,.3g}",
        "measured": "This is measured on {n:,} {test} {n:row|rows} {unseen}.",
        "no differences": "All true numbers are the same, so that nothing can be said of what the model explains.",
        "not learned": "This test does not show that the model knows more than the mean of the training rows.",
        "explained": "The model explains {explained:.0%} of the differences between rows.",
        "least explained": "What is explained least is {column}: {explained:.0%} of the differences between rows.",
        "metric": "R²",
        "rival": "TF-IDF",
        "simple": "counting words",
        "otherwise": "To become better, look at the largest errors in the report first, then label more rows like "
        "them.",
    },
    "zh": {
        "off": "回答平均偏差 {error:.3g}{beside}。",
        "off in column": "对“{column}”的回答平均偏差 {error:.3g}{beside}。",
        "beside": "；{baselines}",
        "mean": "总是回答训练数据的平均值则偏差 {off:.3g}",
        "tfidf": "只统计词频的方法（TF-IDF 加岭回归）偏差 {off:.3g}",
        "measured": "以上依据{unseen}的 {n} 条{test}数据。",
        "no differences": "所有真实值都相同，无法判断模型解释了多少。",
        "not learned": "这次测试不能证明模型比训练数据的平均值懂得更多。",
        "explained": "各行之间的差异，模型能解释 {explained:.0%}。",
        "least explained": "解释得最少的是“{column}”：各行之间差异的 {explained:.0%}。",
        "metric": " R²",
        "rival": " TF-IDF ",
        "simple": "统计词频",
        "otherwise": "想要更好，请先查看报告中偏差最大的行，再标注更多类似的数据。",
    },
}


def verdict_on_numbers(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    columns: Sequence[str],
    *,
    language: str = "en",
    split: str = "test",
) -> str:
    """Four to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``mean``, ``tfidf``) → its scores on the same rows.
        difference: The model minus TF-IDF in R² from `paired_difference`, or None.
        columns: What is predicted, in order.
        language: ``en`` or ``zh``.
        split: What the rows are: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    tell = teller(WORDS, language, split)

    def by_column(metric: str, found: Mapping[str, Score]) -> dict[str, Score]:
        keys = {column: metric if len(columns) == 1 else f"{metric}/{column}" for column in columns}
        return {column: found[key] for column, key in keys.items() if key in found}

    errors, explained = by_column("mae", scores), by_column("r2", scores)
    rivals = {name: by_column("mae", baselines[name]) for name in ("mean", "tfidf") if name in baselines}
    said = [
        *(_off(tell, column, errors, rivals) for column in errors),
        tell("measured", n=next(iter(scores.values())).n),
        _explained(tell, explained),
        tell.compared(difference, decimals=2, points=False),
    ]
    vague = not explained or any(too_few(score, width=_WIDE) for score in explained.values())
    return tell.paragraph(said, tell.advice(difference, vague=vague))


def _off(tell: Teller, column: str, errors: Mapping[str, Score], rivals: Mapping[str, Mapping[str, Score]]) -> str:
    told = tell.listed(tell(name, off=found[column].value) for name, found in rivals.items())
    phrase = "off" if len(errors) == 1 else "off in column"
    return tell(phrase, column=column, error=errors[column], beside=tell("beside", baselines=told) if told else "")


def _explained(tell: Teller, explained: Mapping[str, Score]) -> str:
    """What the column that is explained least says of the model."""
    if not explained:
        return tell("no differences")
    if any(score.low <= 0 for score in explained.values()):
        return tell("not learned")
    column = min(explained, key=lambda name: explained[name].value)
    return tell("explained" if len(explained) == 1 else "least explained", column=column, explained=explained[column])
