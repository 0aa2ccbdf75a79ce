"""The verdict in English."""

from __future__ import annotations

from supertune.contracts import Score
from supertune.evaluate.facts import Facts, WeakestClass

_METRIC_NAMES = {"f1_macro": "macro F1 (every class counted alike)", "accuracy": "accuracy"}


def english(facts: Facts) -> str:
    """The facts as one paragraph."""
    sentences = (
        _how_good(facts),
        _baselines(facts),
        _lead(facts),
        _weakest(facts.weakest),
        _confidence(facts),
        _advice(facts),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _rows(count: int, kind: str = "row") -> str:
    return f"{count:,} {kind}" if count == 1 else f"{count:,} {kind}s"


def _how_good(facts: Facts) -> str:
    scale = facts.scale
    value, low, high = (round(scale * part) for part in (facts.accuracy.value, facts.accuracy.low, facts.accuracy.high))
    if facts.vague:
        return (
            f"Out of {scale:,} texts like these, anything from {low:,} to {high:,} may be right: "
            f"{_rows(facts.n_test, 'test row')} that training never saw cannot tell more."
        )
    limits = [f"below {low:,}"] if low > 0 else []
    limits += [f"above {high:,}"] if high < scale else []
    surprise = f"it would be surprising if the truth were {' or '.join(limits)}"
    return (
        f"Out of {scale:,} texts like these, expect {value:,} right, and {surprise}; "
        f"this is measured on {_rows(facts.n_test, 'test row')} that training never saw."
    )


def _baselines(facts: Facts) -> str:
    parts = []
    if facts.simple is not None:
        parts.append(f"counting words (TF-IDF with logistic regression) gets {round(facts.scale * facts.simple):,}")
    if facts.majority is not None:
        parts.append(f"always answering with the most frequent class gets {round(facts.scale * facts.majority):,}")
    if not parts:
        return ""
    listed = " and ".join(parts)
    doubt = "" if facts.beats_majority else ", and this test does not show that the model knows more than that"
    return f"{listed[0].upper()}{listed[1:]} of {facts.scale:,} right on the same rows{doubt}."


def _points(score: Score) -> str:
    return f"{100 * score.low:+.1f} and {100 * score.high:+.1f}".replace("-", "−")


def _lead(facts: Facts) -> str:
    if facts.difference is None:
        return ""
    name = _METRIC_NAMES.get(facts.difference_name, facts.difference_name)
    points = abs(100 * facts.difference.value)
    where = "ahead of" if facts.difference.value >= 0 else "behind"
    standing = f"is {points:.1f} points of {name} {where}" if points >= 0.05 else f"is level in {name} with"
    luck = {
        "ahead": "luck alone would rarely do this",
        "behind": "luck alone would rarely do this",
        "open": "which could be luck",
    }[facts.lead]
    joint = ", " if facts.lead == "open" else "; "
    return f"The model {standing} TF-IDF (between {_points(facts.difference)} is plausible){joint}{luck}."


def _weakest(weakest: WeakestClass | None) -> str:
    if weakest is None:
        return ""
    f1 = weakest.f1
    said = (
        f"The weakest class is “{weakest.label}”, with an F1 of {100 * f1.value:.0f} % "
        f"({100 * f1.low:.0f} to {100 * f1.high:.0f} %) on {_rows(weakest.test_rows, 'test row')}"
    )
    return said + (", too few to tell how weak it really is." if weakest.too_few else ".")


def _confidence(facts: Facts) -> str:
    if facts.calibration is None:
        return ""
    error = facts.calibration
    off = (
        f"its confidence is {100 * error.value:.1f} points away from the share of right answers on average "
        f"({100 * error.low:.1f} to {100 * error.high:.1f})"
    )
    meaning = {
        "believable": "so a confidence of 90 % means about 9 right out of 10, to within 5 points on average",
        "off": "so do not read a confidence of 90 % as 9 right out of 10",
        "unknown": f"and {_rows(error.n)} cannot tell whether it stays within 5 points",
    }[facts.trust]
    return f"When the model says how sure it is, {off}, {meaning}."


def _advice(facts: Facts) -> str:
    if facts.advice == "more-test-rows":
        width = 100 * (facts.accuracy.high - facts.accuracy.low)
        return (
            f"What would help most: more test rows, because with {_rows(facts.n_test)} the accuracy is only known "
            f"to within {width:.0f} points."
        )
    if facts.advice == "use-simple":
        return "What would help most: use TF-IDF, which is better here and costs a fraction as much to run."
    if facts.advice == "as-good":
        return "What would help most: use TF-IDF, which is within 1 point and costs a fraction as much to run."
    if facts.advice == "not-proven":
        return (
            "What would help most: use TF-IDF, which costs a fraction as much to run, until more test rows show "
            "that this model is better."
        )
    if facts.advice == "more-rows-for-class" and facts.weakest is not None:
        known = facts.weakest.train_rows
        have = f" (there are {_rows(known, 'training row')} of it now)" if known is not None else ""
        return f"What would help most: more labelled rows for “{facts.weakest.label}”{have}."
    return "What would help most: more labelled rows like the ones answered wrongly."
