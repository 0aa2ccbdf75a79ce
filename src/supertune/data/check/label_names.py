"""Labels that are told apart only by how they are written."""

from __future__ import annotations

import json
import shlex
import unicodedata
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from supertune.contracts import Finding, Label
from supertune.data.check.input import CheckInput
from supertune.data.check.labels import written
from supertune.data.check.wording import counted, listed
from supertune.language import fold


def check_label_names(check_input: CheckInput) -> list[Finding]:
    """Find classes that differ only in case, width, white space, hyphens or in being a number: one class, told as two.

    What is learned then is to guess who wrote the label, and half of the right answers count as wrong.
    """
    columns = check_input.columns
    if columns.answers not in ("classes", "sets") or not columns.labels:
        return []
    labels = check_input.classes.labels
    totals = np.sum([check_input.classes.counts(split) for split in check_input.splits], axis=0)
    alike: dict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        if totals[number]:
            alike[_bare(label)].append(number)
    groups = [sorted(group, key=lambda number: -totals[number]) for group in alike.values() if len(group) > 1]
    if not groups:
        return []
    shown = [" = ".join(f"{written(labels[number])} ({totals[number]:,})" for number in group) for group in groups]
    rename = {_tidy(labels[number]): _tidy(labels[group[0]]) for group in groups for number in group[1:]}
    spare = np.array(sorted(number for group in groups for number in group[1:]), np.int64)
    findings = []
    for split in check_input.splits:
        rows = check_input.row_numbers(split, check_input.classes.rows_with(split, spare))
        if not rows:
            continue
        findings.append(
            Finding(
                check="label-names",
                severity="error",
                split=split,
                rows=rows,
                message=f"{counted(len(groups), 'label')} {'is' if len(groups) == 1 else 'are'} written in several "
                f"ways, and would be learned as different ones: {listed(shown)}",
                fix=f"supertune clean DATA --step {_step(rename)} --step exact-duplicates "
                "--out cleaned; or --allow label-names, if they are different",
            )
        )
    return findings


def _bare(label: Label) -> str:
    """What a label is called, without what hardly ever tells two of them apart."""
    said = str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
    folded = unicodedata.normalize("NFKC", fold(said)).casefold()
    return folded.replace("_", "").replace("-", "").replace(" ", "") or said


def _tidy(label: Label) -> Label:
    """As the step finds it when it looks into its map."""
    return fold(label) if isinstance(label, str) else label


def _step(rename: Mapping[Label, Label]) -> str:
    """The step as YAML in one line, in which a word is told from a number; white space goes without being named."""
    parts = [
        f"{json.dumps(old, ensure_ascii=False)}: {json.dumps(new, ensure_ascii=False)}"
        for old, new in rename.items()
        if (type(old), old) != (type(new), new)
    ]
    return shlex.quote(f"labels: {{map: {{{', '.join(parts)}}}}}") if parts else "labels"
