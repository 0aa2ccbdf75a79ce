"""Labels that are probably wrong, where a model has been asked."""

from __future__ import annotations

from supertune.contracts import Finding, Severity
from supertune.data.check.input import CheckInput
from supertune.data.check.labels import written
from supertune.data.check.wording import counted, listed, more_than_one_in_twenty, percent, within
from supertune.data.label_errors.found import LabelErrors, Suspect
from supertune.data.label_errors.judge import rows_of_split

_SHOWN = 3


def check_label_errors(check_input: CheckInput) -> list[Finding]:
    """Tell the rows whose label is probably wrong; nothing where labels were not judged.

    Never an error: it is a model's opinion, and no row is dropped or relabelled on it.
    """
    errors = check_input.label_errors
    if errors is None or not errors.suspects:
        return []
    findings = []
    for split in check_input.splits:
        own = [each for each in errors.suspects if each.split == split]
        if own:
            findings.append(_finding(errors, split, own, tuple(rows_of_split(errors, split).tolist())))
    return findings


def _finding(errors: LabelErrors, split: str, own: list[Suspect], rows: tuple[int, ...]) -> Finding:
    total = errors.total
    shown = listed(
        [
            f"row {each.row} is {written(each.given)}, rather {written(each.suggested)}, {each.probability:.0%}"
            for each in own[:_SHOWN]
        ]
    )
    several = len(errors.estimates) > 1
    judged = total.judged * len(errors.estimates) if several else total.judged
    expected = sum(each.probability for each in own)
    return Finding(
        check="label-errors",
        severity=_severity(total.low, judged),
        split=split,
        rows=rows,
        message=f"{counted(len(rows), 'row')}{within(split)} {'has' if len(rows) == 1 else 'have'} labels that are "
        f"probably wrong (about {expected / len(own):.0%} of them are; {shown}). In all about {total.expected:,.0f} of "
        f"{counted(judged, 'label')} ({percent(round(total.expected), judged)}) are wrong, "
        f"95 % interval {total.low:,.0f} to {total.high:,.0f}",
        fix="read them and decide: supertune check DATA --review labels.csv writes them for that, and "
        "supertune clean DATA --step 'review: {file: labels.csv}' --out cleaned does what you decided",
    )


def _severity(low: float, judged: int) -> Severity:
    return "warning" if more_than_one_in_twenty(int(low), judged) else "info"
