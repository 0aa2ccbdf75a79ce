"""What models wrote, beside each other and what people wrote: the rows to read, and pictures of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from supertune.contracts import FloatArray, Grid, Histogram, IntArray, Outcome, Paragraph, Quote, Score, Section
from supertune.errors import UserError
from supertune.language import units

_EACH = 6
"""Rows quoted of the worst, of the middle and of the best."""
_BINS = 12
_LONG = 0.98
"""Share of the texts that the picture of lengths shows whole; longer ones stand at its end."""
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "results": "Texts and references",
        "metric": "metric",
        "model": "this model",
        "scores": "Scores of single rows",
        "of_row": "{metric} of the row",
        "rows": "{ahead} rows have a higher {metric} than with “{rival}”, {behind} a lower one, {same} the same.",
        "lengths": "How long the texts are",
        "length": "words, or characters of Chinese",
        "reference": "reference",
        "references": "references",
        "lengths_caption": "Of several references the first. Texts longer than the axis stand at its end.",
        "quoted": "Texts side by side",
        "lead": "Rows in order of their {metric}. A low score is not always a bad text: it may say the same in other "
        "words, or the reference may be wrong.",
        "worst": "The worst",
        "median": "The middle",
        "best": "The best",
        "score": "{metric}",
        "row": "row",
        "no_text": "The texts were left out on request.",
        "nothing": "(nothing)",
        "cut_off": "(cut off: it came to no end)",
    },
    "zh": {
        "results": "生成文本与参考文本",
        "metric": "指标",
        "model": "本模型",
        "scores": "各行的得分",
        "of_row": "该行的 {metric}",
        "rows": "与“{rival}”相比，{ahead} 行的 {metric} 更高，{behind} 行更低，{same} 行相同。",
        "lengths": "文本的长度",
        "length": "词数，中文为字数",
        "reference": "参考",
        "references": "参考文本",
        "lengths_caption": "有多个参考文本时取第一个。超出坐标轴的文本计入最右一格。",
        "quoted": "并排对照",
        "lead": "各行按 {metric} 排序。得分低不一定说明写得差：可能只是换了说法，也可能参考文本本身有误。",
        "worst": "得分最低",
        "median": "得分居中",
        "best": "得分最高",
        "score": "{metric}",
        "row": "行",
        "no_text": "按要求未写入文本。",
        "nothing": "（空）",
        "cut_off": "（达到长度上限而中断）",
    },
}


@dataclass(frozen=True)
class SideBySide:
    """What is to be laid side by side; all of the same rows in the same order.

    Attributes:
        prompts: What was asked, as people wrote it.
        outcome: What the model wrote.
        values: float64 (rows,): a score of each row, e.g. of `row_scores`.
        metric: What that score is called.
        scores: Metric → score of all rows.
        others: Name → what another wrote, e.g. the model before training; the first is the one to beat.
        other_values: Name → its scores of the rows.
        other_scores: Name → its scores of all rows.
        numbers: Of the rows in their file; their places where there are none.
        higher_is_better: Which way the score of a row is better.
    """

    prompts: Sequence[str]
    outcome: Outcome
    values: FloatArray
    metric: str
    scores: Mapping[str, Score] = field(default_factory=dict)
    others: Mapping[str, Outcome] = field(default_factory=dict)
    other_values: Mapping[str, FloatArray] = field(default_factory=dict)
    other_scores: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    numbers: Sequence[int] = ()
    higher_is_better: bool = True


def side_by_side(laid: SideBySide, *, show_text: bool = True, language: str = "en") -> tuple[Section, ...]:
    """Scores of all, pictures of rows and lengths, then the worst, the middle and the best rows to read.

    Args:
        laid: What was written, by whom, and how good it is.
        show_text: Whether texts may be shown; without, numbers alone are.
        language: ``en`` or ``zh``.

    Raises:
        UserError: The language has no words here, or something is not of all rows.
    """
    if language not in _WORDS:
        raise UserError(f"there are no words in {language!r}", fix=f"choose {' or '.join(_WORDS)}")
    _check(laid)
    words = _WORDS[language]
    tables = (_table(laid, words),) if laid.scores else ()
    results = Section(words["results"], (*tables, _scores(laid, words), _lengths(laid, words)))
    lead = words["no_text"] if not show_text else words["lead"].format(metric=laid.metric)
    blocks: list[Paragraph | Quote] = [Paragraph(lead)]
    for name, rows in _chosen(laid).items():
        if len(rows):
            blocks += [Paragraph(words[name]), *_quotes(laid, rows, words, show_text=show_text)]
    return results, Section(words["quoted"], tuple(blocks))


def _check(laid: SideBySide) -> None:
    n = len(laid.outcome)
    sizes = {"prompts": len(laid.prompts), "values": len(laid.values), "numbers": len(laid.numbers) or n}
    sizes |= {name: len(other) for name, other in laid.others.items()}
    sizes |= {f"scores of {name}": len(values) for name, values in laid.other_values.items()}
    for name, size in sizes.items():
        if size != n:
            raise UserError(f"there are {size} {name} and {n} rows", fix="give one for each row")


def _chosen(laid: SideBySide) -> dict[str, IntArray]:
    """Rows to read, each once: the worst first, the middle, and the best first."""
    order = np.argsort(laid.values if laid.higher_is_better else -laid.values, kind="stable")
    each = min(_EACH, -(-len(order) // 3))
    middle = max(each, (len(order) - each) // 2)
    best = max(len(order) - each, middle + each)
    return {
        "worst": order[:each],
        "median": order[middle : min(middle + each, len(order))],
        "best": order[best:][::-1],
    }


def _table(laid: SideBySide, words: Mapping[str, str]) -> Grid:
    everyone = {words["model"]: laid.scores, **laid.other_scores}
    rows: list[tuple[str | int | float | Score, ...]] = [
        (metric, *(scores.get(metric, "–") for scores in everyone.values())) for metric in laid.scores
    ]
    return Grid((words["metric"], *everyone), tuple(rows))


def _scores(laid: SideBySide, words: Mapping[str, str]) -> Histogram:
    groups = {words["model"]: laid.values, **laid.other_values}
    finite = np.concatenate([values[np.isfinite(values)] for values in groups.values()])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    low, high = min(low, 0.0), max(high, 1.0)
    edges = np.linspace(low, high, _BINS + 1)
    counts = {name: np.histogram(values, edges)[0].tolist() for name, values in groups.items()}
    caption = ""
    if laid.other_values:
        rival, theirs = next(iter(laid.other_values.items()))
        ahead, behind = int((laid.values > theirs).sum()), int((laid.values < theirs).sum())
        same = len(laid.values) - ahead - behind
        caption = words["rows"].format(metric=laid.metric, rival=rival, ahead=ahead, behind=behind, same=same)
    axis = words["of_row"].format(metric=laid.metric)
    return Histogram(words["scores"], axis, edges.tolist(), counts, caption=caption)


def _lengths(laid: SideBySide, words: Mapping[str, str]) -> Histogram:
    texts: dict[str, Sequence[str]] = {words["references"]: [references[0] for references in laid.outcome.targets]}
    texts |= {words["model"]: laid.outcome.outputs.tolist()}
    texts |= {name: other.outputs.tolist() for name, other in laid.others.items()}
    sizes = {name: np.array([len(units(text)) for text in some], np.float64) for name, some in texts.items()}
    reach = max(float(np.quantile(np.concatenate(list(sizes.values())), _LONG)), 1.0)
    width = max(int(np.ceil(reach / _BINS)), 1)
    edges = np.arange(_BINS + 1) * float(width)
    counts = {name: np.histogram(np.minimum(some, edges[-1]), edges)[0].tolist() for name, some in sizes.items()}
    return Histogram(words["lengths"], words["length"], edges.tolist(), counts, caption=words["lengths_caption"])


def _quotes(laid: SideBySide, rows: IntArray, words: Mapping[str, str], *, show_text: bool) -> Iterator[Quote]:
    everyone = {words["model"]: laid.outcome, **laid.others}
    values = {words["model"]: laid.values, **laid.other_values}
    for row in rows.tolist():
        notes: dict[str, str] = {}
        if show_text:
            notes[words["reference"]] = " | ".join(laid.outcome.targets[row]) or words["nothing"]
            notes |= {name: _told(other, row, words) for name, other in everyone.items()}
        told = [f"{values[name][row]:.3f}" if name in values else "–" for name in everyone]
        notes[words["score"].format(metric=laid.metric)] = " · ".join(told)
        notes[words["row"]] = str(laid.numbers[row] if len(laid.numbers) else row)
        yield Quote(laid.prompts[row] if show_text else words["no_text"], notes)


def _told(outcome: Outcome, row: int, words: Mapping[str, str]) -> str:
    text = outcome.outputs[row] or words["nothing"]
    cut_off = outcome.ended is not None and outcome.ended[row] == "length"
    return f"{text} {words['cut_off']}" if cut_off else str(text)
