"""What the runs of an ablation say: paired differences to the base recipe, their intervals, and a table.

Every variant is trained on the same rows with the same seeds as the base, so each seed gives one difference. The
interval of their mean is Student's; over several data sets the means are averaged, and the degrees of freedom are
Welch's, since differences may scatter more on one set than on the other (Welch 1947; with two sets it is his test of
the first set's differences against the negative ones of the second). Many variants are compared with one base: p-values
are also given after Holm's correction (Holm 1979), over the variants of a table.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

BASE = "base"
LEVEL = 0.05
METRICS: Mapping[str, tuple[str, int, float, int]] = {
    "accuracy": ("accuracy, points", +1, 100.0, 1),
    "f1_macro": ("macro F1, points", +1, 100.0, 1),
    "log_loss": ("log loss", -1, 1.0, 3),
}
"""Metric → title, +1 where higher is better, factor and decimals to show."""


@dataclass(frozen=True)
class Result:
    """One run.

    Attributes:
        variant: What was trained.
        data: The data set.
        seed: Of the draw of rows, and of the training.
        scores: Metric → value on the test rows; empty when training diverged.
        best_epoch: The epoch that the validation rows chose.
        seconds: Of training, with its validation.
        processor: Seconds of processor time of all threads in it, on which other work on the machine bears little.
        degenerate: The model gives every validation row the same answer.
    """

    variant: str
    data: str
    seed: int
    scores: Mapping[str, float]
    best_epoch: int
    seconds: float
    processor: float
    degenerate: bool


@dataclass(frozen=True)
class Difference:
    """A variant's mean difference to the base, as measured (not turned so that more is better).

    Attributes:
        value: The mean; over several data sets the mean of their means.
        low: Lower end of the 95 % interval; minus infinity where there is none.
        high: Upper end.
        p: Two-sided p-value of "no difference"; 1 where there is no interval.
        seeds: Pairs on the data set that has fewest.
    """

    value: float
    low: float
    high: float
    p: float
    seeds: int


@dataclass(frozen=True)
class Line:
    """A variant compared with the base.

    Attributes:
        variant: Its name.
        difference: To the base; None for the base itself, and before there is a pair on every data set.
        holm: The p-value after Holm's correction.
        verdict: In words.
    """

    variant: str
    difference: Difference | None = None
    holm: float = 1.0
    verdict: str = ""


def paired_difference(differences: Sequence[Sequence[float]]) -> Difference | None:
    """The mean over data sets of the mean paired difference, and its interval.

    Differences that are all alike say nothing about how they scatter: accuracies of few test rows come in coarse steps.
    There is no interval then, as there is none with one pair.

    Args:
        differences: For each data set, one difference per seed.
    """
    from scipy import stats

    counts = [len(of_set) for of_set in differences]
    if not counts or min(counts) < 1:
        return None
    value = statistics.fmean(statistics.fmean(of_set) for of_set in differences)
    unknown = Difference(value, -math.inf, math.inf, 1.0, min(counts))
    if min(counts) < 2:
        return unknown
    squares = [statistics.variance(of_set) / len(of_set) for of_set in differences]
    error = math.sqrt(sum(squares)) / len(squares)
    if error < 1e-12:
        return unknown
    freedom = sum(squares) ** 2 / sum(square**2 / (count - 1) for square, count in zip(squares, counts, strict=True))
    reach = float(stats.t.ppf(1 - LEVEL / 2, freedom)) * error
    p = 2 * float(stats.t.sf(abs(value) / error, freedom))
    return Difference(value, value - reach, value + reach, p, min(counts))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted by Holm's step-down method, in their order.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def verdict(found: Difference, adjusted: float, sign: int) -> str:
    """``better`` or ``worse`` where that holds after the correction, ``perhaps`` where only on its own.

    Args:
        found: The difference as measured.
        adjusted: Its p-value after the correction.
        sign: +1 where a higher score is better, -1 where a lower one is.
    """
    if found.low <= 0 <= found.high:
        return f"undecided at {found.seeds} seeds"
    word = "better" if sign * found.value > 0 else "worse"
    return word if adjusted < LEVEL else f"perhaps {word}"


def compare(results: Sequence[Result], variants: Sequence[str], sets: Sequence[str], metric: str) -> list[Line]:
    """Every variant beside the base, over all ``sets`` together, in the order of ``variants``."""
    sign = METRICS[metric][1]
    found = {
        name: paired_difference([_differences(results, name, data, metric) for data in sets])
        for name in variants
        if name != BASE
    }
    compared = {name: difference for name, difference in found.items() if difference is not None}
    adjusted = dict(zip(compared, holm([difference.p for difference in compared.values()]), strict=True))
    lines = []
    for name in variants:
        if name in compared:
            words = verdict(compared[name], adjusted[name], sign)
            lines.append(Line(name, compared[name], adjusted[name], words))
        else:
            lines.append(Line(name))
    return lines


def undecided(results: Sequence[Result], variants: Sequence[str], sets: Sequence[str]) -> list[str]:
    """The variants of whose accuracy over all ``sets`` it cannot be said yet, after correction, what it is."""
    lines = compare(results, variants, sets, "accuracy")
    return [line.variant for line in lines if line.variant != BASE and line.verdict not in ("better", "worse")]


def _differences(results: Sequence[Result], variant: str, data: str, metric: str) -> list[float]:
    pairs = _pairs(results, variant, data)
    return [one.scores[metric] - base.scores[metric] for one, base in pairs if one.scores and base.scores]


def _pairs(results: Sequence[Result], variant: str, data: str) -> list[tuple[Result, Result]]:
    here = [result for result in results if result.data == data]
    bases = {result.seed: result for result in here if result.variant == BASE}
    return [(result, bases[result.seed]) for result in here if result.variant == variant and result.seed in bases]


def render(results: Sequence[Result], variants: Sequence[str], sets: Sequence[str], about: str) -> str:
    """The tables as Markdown: of each metric over all sets, then set by set.

    Args:
        results: All runs.
        variants: Names in the order of the lines.
        sets: Data sets in order.
        about: What the base is, and on which machine: a paragraph.
    """
    present = {result.variant for result in results}
    shown = [name for name in variants if name in present]
    parts = ["# Ablation\n", about, NOTES]
    for metric, (title, *_) in METRICS.items():
        parts.append(f"\n## {title[0].upper()}{title[1:]}\n")
        for group in [tuple(sets), *((data,) for data in sets)] if len(sets) > 1 else [tuple(sets)]:
            parts.append(f"\n### {' and '.join(group)}\n")
            parts += _table(results, shown, group, metric)
    return "\n".join(parts) + "\n"


def _table(results: Sequence[Result], variants: Sequence[str], sets: Sequence[str], metric: str) -> Iterator[str]:
    title, _, factor, decimals = METRICS[metric]
    heading = ("variant", "seeds", f"{title}: mean", "sd", "difference [95 %]", "p", "Holm p", "s", "time", "verdict")
    yield "| " + " | ".join(heading) + " |"
    yield "|---|" + "--:|" * 8 + "---|"
    for line in compare(results, variants, sets, metric):
        runs = [[run for run in results if (run.variant, run.data) == (line.variant, data)] for data in sets]
        scores = [[factor * run.scores[metric] for run in of_set if run.scores] for of_set in runs]
        mean = f"{statistics.fmean(map(statistics.fmean, scores)):.{decimals}f}" if all(scores) else "–"
        # Of several sets, what one seed scatters on the average set.
        spread = f"{statistics.fmean(map(statistics.stdev, scores)):.{decimals}f}" if min(map(len, scores)) > 1 else "–"
        seconds = (
            f"{statistics.fmean(statistics.median(run.seconds for run in of_set) for of_set in runs):.0f}"
            if all(runs)
            else "–"
        )
        cells = [line.variant, str(min(map(len, scores))), mean, spread, *_compared(line, factor, decimals), seconds]
        cells += [_times(results, line.variant, sets), "; ".join(filter(None, (line.verdict, _mishaps(runs))))]
        yield "| " + " | ".join(cells) + " |"


def _compared(line: Line, factor: float, decimals: int) -> tuple[str, str, str]:
    found = line.difference
    if found is None:
        return "–", "–", "–"
    text = f"{factor * found.value:+.{decimals}f}"
    if math.isinf(found.low):
        return text, "–", "–"
    limits = f"[{factor * found.low:+.{decimals}f}, {factor * found.high:+.{decimals}f}]"
    return f"{text} {limits}", _p(found.p), _p(line.holm)


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def _times(results: Sequence[Result], variant: str, sets: Sequence[str]) -> str:
    """How many times as much processor time as the base: the median over seeds; mean over sets."""
    ratios = [[one.processor / base.processor for one, base in _pairs(results, variant, data)] for data in sets]
    return f"{statistics.fmean(map(statistics.median, ratios)):.2f} ×" if all(ratios) else "–"


def _mishaps(runs: Sequence[Sequence[Result]]) -> str:
    every = [run for of_set in runs for run in of_set]
    counts = {
        "learned nothing": sum(run.degenerate for run in every),
        "diverged": sum(not run.scores for run in every),
    }
    return ", ".join(f"{count} of {len(every)} {what}" for what, count in counts.items() if count)


NOTES = """
Each seed draws its own training and validation rows and begins from its own head; every variant gets the same rows and
the same seed as the base, and the difference is the mean over these pairs. Its interval (Student's t) is for seeds and
draws of rows: the test rows are the same each time, so it does not cover other test rows, nor other data sets. The
heading that names several sets holds the mean over them, each counting the same, with Welch's degrees of freedom.

`better` and `worse` hold at 5 % after Holm's correction for the number of variants in the table; `perhaps`: the
interval of this variant alone leaves out 0, as one in twenty does by luck. Variants that were undecided over all sets
after the first seeds went on to more of them; looking twice makes that one in twelve, by simulation with 5 and
10 seeds. `sd` is the standard deviation over seeds, `s` the median seconds of a training with its validation, and
`time` how many times as much processor time that took as the base with the same seed. Runs that learned nothing are not
begun again here, as `supertune train` would, and count as they are; one whose loss became infinite has no score, and
leaves its pair out.
"""
