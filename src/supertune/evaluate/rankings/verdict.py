"""One paragraph in plain words on what queries find, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Score
from supertune.errors import UserError

_FEW_ROWS = 30
_WIDE = 0.2
_HARD = 0.5
"""Share of queries with the right passage first below which hard negatives are the first thing to try."""
_RIVALS = {
    "untrained": ("Training changed that by", "训练使该值变化"),
    "bm25": ("Against words alone the model stands at", "与只看词语相比，模型相差"),
}


def verdict_on_rankings(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    rival: str = "untrained",
    language: str = "en",
) -> str:
    """Four sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``untrained``, ``bm25``) → its scores on the same rows.
        difference: The model minus ``rival`` in ``mrr``, or None.
        rival: The baseline that it is compared with in pairs.
        language: ``en`` or ``zh``.

    Raises:
        UserError: The language has no words here.
    """
    languages = {"en": _english, "zh": _chinese}
    if language not in languages:
        raise UserError(f"the verdict cannot be written in {language!r}", fix=f"choose {' or '.join(languages)}")
    said = languages[language](scores, baselines, difference, rival)
    return ("" if language == "zh" else " ").join(filter(None, said))


def _percent(value: float) -> str:
    return f"{100 * value:.0f}".replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _state(difference: Score | None) -> str:
    if difference is None or difference.low <= 0 <= difference.high:
        return "open"
    return "ahead" if difference.low > 0 else "behind"


def _vague(score: Score) -> bool:
    return score.n < _FEW_ROWS or score.high - score.low > _WIDE


# ---------------------------------------------------------------- English


def _english(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    rival: str,
) -> list[str]:
    first, ranks = scores["recall@1"], scores["mrr"]
    words = baselines.get("bm25", {}).get("mrr")
    said = [
        f"Of {ranks.n:,} test queries that training never saw, {_percent(scores['recall@1'].value)} % "
        f"({_percent(first.low)} to {_percent(first.high)}) find what they ask for in the first place; the mean of "
        f"1 ÷ rank is {ranks.value:.3f} ({ranks.low:.3f} to {ranks.high:.3f})."
    ]
    if words is not None:
        said.append(f"Comparing words alone (BM25) reaches {words.value:.3f}.")
    if difference is not None:
        change = f"{_signed(difference.value)} ({_signed(difference.low)} to {_signed(difference.high)})"
        luck = ", which could be luck" if _state(difference) == "open" else "; luck alone would rarely do this"
        said.append(f"{_RIVALS[rival][0]} {change}{luck}.")
    said.append(_advice(scores, difference, rival))
    return said


def _advice(scores: Mapping[str, Score], difference: Score | None, rival: str) -> str:
    if _vague(scores["mrr"]):
        return "More test queries would help most: these are too few to tell how good the model is."
    if _state(difference) == "behind":
        better = "Use the model as it was" if rival == "untrained" else "Leave the order to the words"
        return f"{better}, or look at the worst errors in the report: something may be wrong in the rows."
    if difference is not None and _state(difference) == "open":
        same = "the model as it was does" if rival == "untrained" else "words do"
        return f"More training rows would help most: so far {same} as well."
    if rival == "untrained" and scores["recall@1"].value < _HARD:
        return "To become better, try hard negatives (task.negatives=bm25) or larger batches first."
    return "To become better, look at the worst errors in the report first, then add rows like them."


# ---------------------------------------------------------------- Chinese


def _chinese(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    rival: str,
) -> list[str]:
    first, ranks = scores["recall@1"], scores["mrr"]
    words = baselines.get("bm25", {}).get("mrr")
    said = [
        f"训练中从未见过的 {ranks.n} 个测试查询里，{_percent(first.value)}%"
        f"（{_percent(first.low)} 至 {_percent(first.high)}%）把正确段落排在第一；"
        f"排名倒数的平均值（MRR）为 {ranks.value:.3f}（{ranks.low:.3f} 至 {ranks.high:.3f}）。"
    ]
    if words is not None:
        said.append(f"只比较词语（BM25）可达 {words.value:.3f}。")
    if difference is not None:
        change = f"{_signed(difference.value)}（{_signed(difference.low)} 至 {_signed(difference.high)}）"
        luck = "，有可能只是运气" if _state(difference) == "open" else "，仅凭运气很少出现这样的差距"
        said.append(f"{_RIVALS[rival][1]} {change}{luck}。")
    said.append(_advice_zh(scores, difference, rival))
    return said


def _advice_zh(scores: Mapping[str, Score], difference: Score | None, rival: str) -> str:
    if _vague(scores["mrr"]):
        return "最有帮助的是更多测试查询：现有的太少，无法判断模型有多好。"
    if _state(difference) == "behind":
        better = "请使用训练前的模型" if rival == "untrained" else "请直接按词语排序"
        return f"{better}，或查看报告中最严重的错误：数据可能有问题。"
    if difference is not None and _state(difference) == "open":
        same = "训练前的模型" if rival == "untrained" else "只比较词语"
        return f"最有帮助的是更多训练数据：目前{same}同样好。"
    if rival == "untrained" and scores["recall@1"].value < _HARD:
        return "想要更好，请先试难负例（task.negatives=bm25）或更大的批次。"
    return "想要更好，请先查看报告中最严重的错误，再补充类似的数据。"
