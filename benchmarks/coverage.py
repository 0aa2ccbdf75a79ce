"""How often the 95 % intervals hold the truth, by simulation.

Each case is a population with known classes, a model of known accuracy and over-confidence, and a number of test
rows. The truth comes from a million rows of it; test sets are drawn from it again and again.

    python benchmarks/coverage.py                      the whole table, 500 repetitions a case
    python benchmarks/coverage.py --repetitions 2000   as it is quoted
    python benchmarks/coverage.py --numbers            numbers instead of classes: normal, exponential, and ratings
    python benchmarks/coverage.py --sets               sets of labels instead of classes
    python benchmarks/coverage.py --spans              entities in texts instead of classes
    python benchmarks/coverage.py --texts              answers to questions, texts, and rankings instead of classes
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from supertune.contracts import FloatArray, IntArray, Outcome, Score
from supertune.evaluate import measure, paired_difference

POPULATION = 1_000_000
METRICS = (
    "accuracy",
    "f1_macro",
    "f1_weighted",
    "f1_per_class",
    "precision_macro",
    "precision_weighted",
    "precision_per_class",
    "recall_macro",
    "recall_per_class",
    "mcc",
    "auroc",
    "log_loss",
    "ece",
)
PAIRED = ("accuracy", "f1_macro", "log_loss")
NUMBERS = ("r2", "pearson", "spearman", "rmse", "mae", "quadratic_kappa")
PAIRED_NUMBERS = ("r2", "pearson", "mae")
SHAPES = ("normal", "exponential", "ratings")
TEXTS = 20_000
"""Rows of the populations of texts, in which it takes time to find out how alike two are."""
TEXT_METRICS = {
    "answers": ("exact_match", "f1"),
    "texts": ("rougeL", "bleu"),
    "ranking": ("mrr", "ndcg@10"),
}
SETS = ("f1_micro", "precision_micro", "recall_micro", "f1_macro", "f1_samples", "subset_accuracy", "hamming_loss",
        "label_ranking", "log_loss")  # fmt: skip
SPANS = ("f1_micro", "precision_micro", "recall_micro", "f1_macro", "f1_per_class", "f1_boundaries", "label_accuracy")
PAIRED_SETS = ("f1_micro", "f1_macro", "subset_accuracy")
SHARES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02)
SKEWED = {2: (0.9, 0.1), 6: (0.5, 0.25, 0.12, 0.07, 0.04, 0.02)}


@dataclass(frozen=True)
class Case:
    """One population and one size of test set; ``temperature`` above 1 makes the model over-confident."""

    n: int
    classes: int
    skewed: bool
    accuracy: float
    temperature: float

    @property
    def name(self) -> str:
        """Short, for the table."""
        shape = "skewed" if self.skewed else "even"
        return f"n={self.n} k={self.classes} {shape} acc={self.accuracy} T={self.temperature}"


def cases(sizes: list[int]) -> Iterator[Case]:
    """All combinations of size, classes, balance, accuracy and confidence."""
    for n, classes, skewed in itertools.product(sizes, (2, 6), (False, True)):
        accuracies = (0.7, 0.95) if not skewed else (0.93, 0.97) if classes == 2 else (0.75, 0.95)
        for accuracy, temperature in zip(accuracies, (1.0, 2.0) if skewed else (2.0, 1.0), strict=True):
            yield Case(n, classes, skewed, accuracy, temperature)


def draw(case: Case, strength: float, generator: np.random.Generator, rows: int) -> tuple[IntArray, FloatArray]:
    """True classes and the log-posteriors that a calibrated model would have."""
    even = (1 / case.classes,) * case.classes
    prior = np.array(SKEWED[case.classes] if case.skewed else even)
    targets = generator.choice(case.classes, rows, p=prior)
    signal = generator.standard_normal((rows, case.classes))
    signal[np.arange(rows), targets] += strength
    return targets.astype(np.int64), strength * signal + np.log(prior)


def softmax(logits: FloatArray) -> FloatArray:
    """Rows to probabilities."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def strength_for(case: Case) -> float:
    """The separation of the classes at which a calibrated model has the wanted accuracy."""
    low, high = 0.0, 8.0
    for _ in range(25):
        middle = (low + high) / 2
        targets, logits = draw(case, middle, np.random.default_rng(1), 40_000)
        reached = (logits.argmax(axis=1) == targets).mean()
        low, high = (middle, high) if reached < case.accuracy else (low, middle)
    return (low + high) / 2


def outcome(targets: IntArray, probabilities: FloatArray) -> Outcome:
    """Rows as the evaluate room sees them."""
    labels = tuple(str(index) for index in range(probabilities.shape[1]))
    return Outcome(targets, probabilities, labels)


def true_calibration_error(targets: IntArray, probabilities: FloatArray) -> float:
    """ECE of the population in 100 bins of 10,000 rows, where chance no longer counts."""
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == targets) - confidence
    return float(np.mean([abs(part.mean()) for part in np.array_split(gap[np.argsort(confidence)], 100)]))


def simulate(case: Case, repetitions: int, resamples: int) -> dict[str, tuple[float, float]]:
    """Metric → (share of intervals that hold the truth, mean width)."""
    generator = np.random.default_rng(7)
    targets, logits = draw(case, strength_for(case), generator, POPULATION)
    probabilities = softmax(case.temperature * logits)
    # A rival that sees the same rows through some more noise: its answers differ in a few per cent of the rows.
    rival = softmax(logits + generator.standard_normal(logits.shape))
    whole, other = outcome(targets, probabilities), outcome(targets, rival)
    truths = {key: score.value for key, score in measure(whole, METRICS, resamples=1).scores.items()}
    truths["ece"] = true_calibration_error(targets, probabilities)
    for name in PAIRED:
        truths[f"difference:{name}"] = paired_difference(whole, other, name, resamples=1).value
    found: dict[str, list[tuple[bool, float]]] = defaultdict(list)

    def note(key: str, score: Score) -> None:
        hit = score.low - 1e-12 <= truths[key] <= score.high + 1e-12
        found[key.split("/")[0] + "/class" if "/" in key else key].append((hit, score.high - score.low))

    for repetition in range(repetitions):
        rows = generator.integers(0, POPULATION, case.n)
        sample, sample_rival = outcome(targets[rows], probabilities[rows]), outcome(targets[rows], rival[rows])
        for key, score in measure(sample, METRICS, seed=repetition, resamples=resamples).scores.items():
            note(key, score)
        for name in PAIRED:
            score = paired_difference(sample, sample_rival, name, seed=repetition, resamples=resamples)
            note(f"difference:{name}", score)
    return {
        key: (float(np.mean([hit for hit, _ in seen])), float(np.mean([width for _, width in seen])))
        for key, seen in found.items()
    }


def draw_numbers(shape: str, generator: np.random.Generator, rows: int) -> tuple[FloatArray, FloatArray]:
    """Truth and answers, each (rows, 1)."""
    if shape == "exponential":
        truth, noise = generator.standard_exponential((2, rows, 1))
        return truth, 0.7 * truth + 0.4 * noise
    hidden, noise = generator.standard_normal((2, rows, 1))
    truth = np.clip(np.round(3 + hidden), 1, 5) if shape == "ratings" else hidden
    return truth, (3 if shape == "ratings" else 0) + 0.8 * hidden + 0.5 * noise


def simulate_numbers(shape: str, n: int, repetitions: int, resamples: int) -> dict[str, tuple[float, float]]:
    """Metric → (share of intervals that hold the truth, mean width), for numbers."""
    generator = np.random.default_rng(7)
    truth, answers = draw_numbers(shape, generator, POPULATION)
    rival = answers + 0.2 * generator.standard_normal(answers.shape)
    whole, other = Outcome(truth, answers, ("x",), "numbers"), Outcome(truth, rival, ("x",), "numbers")
    return simulate_samples(whole, other, NUMBERS, PAIRED_NUMBERS, n, repetitions, resamples)


def simulate_sets(strength: float, n: int, repetitions: int, resamples: int) -> dict[str, tuple[float, float]]:
    """Metric → (share of intervals that hold the truth, mean width), for six labels, frequent to rare."""
    generator = np.random.default_rng(7)
    rows = POPULATION // 10
    truth = generator.random((rows, len(SHARES))) < np.array(SHARES)
    # Some rows are harder than others, for all their labels.
    skill = strength * generator.gamma(2.0, 0.5, (rows, 1))
    logits = skill * np.where(truth, 1, -1) + generator.standard_normal(truth.shape)
    rival = logits + 0.5 * generator.standard_normal(truth.shape)
    names = tuple(f"label {index}" for index in range(len(SHARES)))
    one, other = (Outcome(truth, 1 / (1 + np.exp(-each)), names, "sets", given=each > 0) for each in (logits, rival))
    return simulate_samples(one, other, SETS, PAIRED_SETS, n, repetitions, resamples)


def simulate_spans(quality: float, n: int, repetitions: int, resamples: int) -> dict[str, tuple[float, float]]:
    """Metric → (share of intervals that hold the truth, mean width), for texts of none to a dozen entities.

    Some texts are harder than others, for all their entities: found or not, with other edges or labels, or made up.
    """
    generator = np.random.default_rng(7)
    shares = np.array([0.6, 0.25, 0.1, 0.05])
    columns = [np.empty(TEXTS, object) for _ in range(3)]
    for row, (count, skill) in enumerate(
        zip(generator.poisson(2.5, TEXTS), generator.beta(4 * quality, 4 * (1 - quality), TEXTS), strict=True)
    ):
        labels = generator.choice(4, count + 1, p=shares)
        truth = [(9 * place, 9 * place + 4, int(label)) for place, label in enumerate(labels[:-1])]
        columns[0][row] = tuple(truth)
        for column in columns[1:]:
            luck, kind = generator.random(count), generator.integers(0, 3, count)
            found = [span for span, lucky in zip(truth, luck, strict=True) if lucky < skill]
            for (start, end, label), lucky, how in zip(truth, luck, kind, strict=True):
                if lucky >= skill and how:
                    found.append((start, end + 1, label) if how == 1 else (start, end, (label + 1) % 4))
            made_up = [(9 * count, 9 * count + 4, int(labels[-1]))] if generator.random() > (1 + skill) / 2 else []
            column[row] = tuple(found + made_up)
    names = ("a", "b", "c", "d")
    one, other = (Outcome(columns[0], answers, names, "spans") for answers in columns[1:])
    return simulate_samples(one, other, SPANS, ("f1_micro", "f1_macro"), n, repetitions, resamples)


def draw_texts(kind: str, quality: float, generator: np.random.Generator) -> tuple[Outcome, Outcome]:
    """Texts of random words, answers of one to four for questions, some of which two models get wrong."""
    shortest, longest = (1, 5) if kind == "answers" else (6, 15)
    references, good, rival = [], [], []
    for skill in generator.beta(4 * quality, 4 * (1 - quality), TEXTS):
        text = generator.zipf(1.5, generator.integers(shortest, longest)) % 500
        wrong = generator.random((2, len(text))) > skill
        # Both mistake the same words more often than not.
        wrong[1] = np.where(generator.random(len(text)) < 0.6, wrong[0], wrong[1])
        said = np.where(wrong, generator.integers(500, 1000, wrong.shape), text)
        references.append((" ".join(f"w{word}" for word in text),))
        for texts, words in zip((good, rival), said, strict=True):
            texts.append(" ".join(f"w{word}" for word in words))
    targets = np.fromiter(references, object, TEXTS)
    outcomes = (Outcome(targets, np.fromiter(texts, object, TEXTS), answers=kind) for texts in (good, rival))
    return next(outcomes), next(outcomes)


def draw_rankings(quality: float, generator: np.random.Generator) -> tuple[Outcome, Outcome]:
    """Ten items of a hundred for each query, of which one to three are relevant."""
    relevant = np.arange(100) < generator.integers(1, 4, (TEXTS, 1))
    scores = generator.standard_normal((TEXTS, 100)) + 5 * quality * relevant
    rival = scores + 0.5 * generator.standard_normal(scores.shape)
    targets = np.fromiter(((1.0,) * int(count) for count in relevant.sum(axis=1)), object, TEXTS)
    first, second = (
        np.take_along_axis(relevant, np.argsort(-each, axis=1)[:, :10], axis=1).astype(np.float64)
        for each in (scores, rival)
    )
    return Outcome(targets, first, answers="ranking"), Outcome(targets, second, answers="ranking")


def simulate_texts(
    kind: str, quality: float, n: int, repetitions: int, resamples: int
) -> dict[str, tuple[float, float]]:
    """Metric → (share of intervals that hold the truth, mean width), for answers, texts and rankings."""
    generator = np.random.default_rng(7)
    draw_them = draw_rankings(quality, generator) if kind == "ranking" else draw_texts(kind, quality, generator)
    return simulate_samples(*draw_them, TEXT_METRICS[kind], TEXT_METRICS[kind], n, repetitions, resamples)


def simulate_samples(
    whole: Outcome,
    other: Outcome,
    metrics: tuple[str, ...],
    pairs: tuple[str, ...],
    n: int,
    repetitions: int,
    resamples: int,
) -> dict[str, tuple[float, float]]:
    """Metric → (share of intervals that hold the truth, mean width), of samples of two models' outcomes."""
    generator = np.random.default_rng(8)
    truths = {key: score.value for key, score in measure(whole, metrics).scores.items()}
    truths |= {f"difference:{name}": paired_difference(whole, other, name).value for name in pairs}
    found: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for repetition in range(repetitions):
        rows = generator.integers(0, len(whole), n)
        sample, sample_rival = whole.take(rows), other.take(rows)
        scores = dict(measure(sample, metrics, seed=repetition, resamples=resamples).scores)
        for name in pairs:
            score = paired_difference(sample, sample_rival, name, seed=repetition, resamples=resamples)
            scores[f"difference:{name}"] = score
        for key, score in scores.items():
            found[key].append((score.low - 1e-12 <= truths[key] <= score.high + 1e-12, score.high - score.low))
    return {
        key: (float(np.mean([hit for hit, _ in seen])), float(np.mean([width for _, width in seen])))
        for key, seen in found.items()
    }


def simulations(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, tuple[float, float]]]]:
    """Name of each case and what came of it."""
    if options.numbers:
        for n, shape in itertools.product(options.sizes, SHAPES):
            yield f"n={n} {shape}", simulate_numbers(shape, n, options.repetitions, options.resamples)
        return
    if options.sets:
        for n, strength in itertools.product(options.sizes, (1.0, 3.0)):
            yield f"n={n} strength={strength}", simulate_sets(strength, n, options.repetitions, options.resamples)
        return
    if options.spans:
        for n, quality in itertools.product(options.sizes, (0.6, 0.9)):
            yield f"n={n} quality={quality}", simulate_spans(quality, n, options.repetitions, options.resamples)
        return
    if options.texts:
        for kind, n, quality in itertools.product(TEXT_METRICS, options.sizes, (0.5, 0.95)):
            name = f"n={n} {kind} quality={quality}"
            yield name, simulate_texts(kind, quality, n, options.repetitions, options.resamples)
        return
    for case in cases(options.sizes):
        yield case.name, simulate(case, options.repetitions, options.resamples)


def main() -> None:
    """Print a row per case and a column per metric: coverage in per cent, stars outside 93–97."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 500, 2000])
    parser.add_argument("--numbers", action="store_true", help="numbers instead of classes")
    parser.add_argument("--sets", action="store_true", help="sets of labels instead of classes")
    parser.add_argument("--spans", action="store_true", help="entities in texts instead of classes")
    parser.add_argument("--texts", action="store_true", help="answers, texts and rankings instead of classes")
    options = parser.parse_args()
    header: list[str] = []
    started = time.perf_counter()
    for name, covered in simulations(options):
        if not header or (options.texts and header != list(covered)):
            header = (
                [*NUMBERS, *(f"difference:{metric}" for metric in PAIRED_NUMBERS)] if options.numbers else list(covered)
            )
            print("| case |", " | ".join(header), "|")
            print("|" + "---|" * (len(header) + 1))
        cells = []
        for key in header:
            share = 100 * covered.get(key, (float("nan"), 0.0))[0]
            cells.append(f"{share:.1f}{'' if 93 <= share <= 97 else '*'}")
        print(f"| {name} |", " | ".join(cells), "|", flush=True)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
        started = time.perf_counter()


if __name__ == "__main__":
    main()
