"""The gate: what is wrong with the data, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from supertune.config import Config, Preparation
from supertune.console import Console, show_findings
from supertune.contracts import SEVERITIES, Columns, Finding, IntArray, Severity
from supertune.data import (
    CHECKS,
    CheckInput,
    Table,
    check_review_file,
    run_checks,
    set_aside_unlabelled,
    write_review,
)
from supertune.errors import UserError
from supertune.files import write_text
from supertune.language import guess_language
from supertune.models import load_tokenizer
from supertune.recipes.check_page import gate_page
from supertune.recipes.clean import Preparing, clean
from supertune.recipes.encode import in_file
from supertune.recipes.kinds import judged_by
from supertune.recipes.label_errors import find_label_errors
from supertune.recipes.mend import mending_steps
from supertune.recipes.prepared_folder import refuse_existing_folder, refuse_several_sources
from supertune.recipes.rows import find_columns, read_all, readable, sample_texts
from supertune.recipes.start import find_max_length, find_model
from supertune.recipes.template import for_model
from supertune.recipes.vectors import task_settings
from supertune.recipes.written_check import written_lengths
from supertune.tasks import TASKS


@dataclass(frozen=True)
class GateReport:
    """What the gate says.

    Attributes:
        rows: Number of rows looked at.
        findings: What was found, in the order of the checks.
        mended: What was done to the rows before; None where nothing was.
    """

    rows: int
    findings: tuple[Finding, ...]
    mended: Preparing | None = None

    def as_dict(self) -> dict[str, object]:
        """The shape of ``check --json``."""
        mended = {} if self.mended is None else {"mended": self.mended.as_dict()}
        return {
            **mended,
            "rows": self.rows,
            "findings": [
                {
                    "check": finding.check,
                    "severity": finding.severity,
                    "split": finding.split,
                    "rows": list(finding.rows),
                    "message": finding.message,
                    "fix": finding.fix,
                }
                for finding in self.findings
            ],
        }


def parse_severity(name: str) -> Severity:
    """A severity by its name.

    Raises:
        UserError: There is none of that name.
    """
    for severity in SEVERITIES:
        if name == severity:
            return severity
    raise UserError(f"{name!r} is no severity", where="--fail-on", fix=f"use one of {', '.join(SEVERITIES)}")


def reaches(findings: Sequence[Finding], severity: Severity) -> bool:
    """True when a finding is at or above ``severity``."""
    return any(SEVERITIES.index(finding.severity) >= SEVERITIES.index(severity) for finding in findings)


def check_allowed(names: Sequence[str]) -> None:
    """Check the names given to ``--allow`` before any work is done.

    Raises:
        UserError: One of them is no check.
    """
    if unknown := sorted(set(names) - set(CHECKS)):
        raise UserError(f"{unknown[0]!r} is no check", where="data.allow", fix=f"checks are: {', '.join(CHECKS)}")


def check_metric(name: str, task: str) -> None:
    """Check the metric that is to choose the epoch before any work is done.

    Raises:
        UserError: The task has no metric of that name that is one number.
    """
    known = [metric for metric in judged_by(task) if not metric.endswith("_per_class")]
    if name not in ("auto", *known):
        raise UserError(
            f"{name!r} is no metric of {task}", where="evaluate.metric", fix=f"use auto or one of {', '.join(known)}"
        )


def gate(
    check_input: CheckInput, allowed: Sequence[str], console: Console, *, rendered: Sequence[Finding] = ()
) -> tuple[GateReport, list[Finding]]:
    """Run every check and show what was found; also gives the findings for which training has to stop.

    Args:
        check_input: What to look at.
        allowed: Checks whose errors do not stop training.
        console: Where to show it.
        rendered: What was found when rows became tokens, shown with the rest.
    """
    report = GateReport(sum(map(len, check_input.splits.values())), (*run_checks(check_input), *rendered))
    show_findings(console, report.findings)
    stopping = [f for f in report.findings if f.severity == "error" and f.check not in allowed]
    return report, stopping


def check(
    config: Config,
    data: object = None,
    *,
    label_errors: bool | None = None,
    review: Path | None = None,
    page: Path | None = None,
    fix: Path | None = None,
    console: Console,
) -> GateReport:
    """Read the data and run every check; the model's tokenizer tells what would be cut.

    With ``fix`` what needs no decision is put right in a copy, and the copy is looked at again.

    Args:
        config: Data, task and model.
        data: Rows that are in memory already; otherwise ``config.data.source`` is read.
        label_errors: Look for labels that are probably wrong; None: where that takes little time.
        review: File for the list of those, for a person to decide about; asks for them.
        page: HTML file to write: what was found, with pictures and rows.
        fix: Folder for the rows that were put right; must not exist or be empty.
        console: Where to show progress.

    Raises:
        UserError: The data cannot be read, the model cannot be found, or what is asked for is not possible.
    """
    if review is not None:
        check_review_file(review)
        label_errors = True
    if page is not None:
        check_page_file(page)
    if fix is None:
        return _looked(config, data, label_errors, review, page, console, offer=True)[0]
    refuse_existing_folder(fix)
    refuse_several_sources(config)
    # What a model thinks is never acted upon, so it is asked about the rows that stay.
    before, columns, splits = _looked(config, data, False, None, None, console, told=False)
    steps = mending_steps(before.findings, columns, several_splits=splits > 1)
    if not steps:
        console.say("  nothing here can be put right without deciding something: no copy was made")
        return _looked(config, data, label_errors, review, page, console)[0]
    mended = clean(Preparation(config, steps), data, out=fix, console=console)
    copied = config.with_values({"data.source": str(fix), "data.validation": None, "data.test": None})
    after, _, _ = _looked(copied, None, label_errors, review, page, console)
    return replace(after, mended=mended)


def check_page_file(page: Path) -> None:
    """Check the name of a page before any work is done.

    Raises:
        UserError: It is no HTML file, or there is one.
    """
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{page.suffix or 'no ending'!r} is no ending of a page", where=str(page), fix="use .html")
    if page.exists() or page.is_symlink():
        raise UserError("exists already", where=str(page), fix="name a new file with --report")


def _looked(
    config: Config,
    data: object,
    label_errors: bool | None,
    review: Path | None,
    page: Path | None,
    console: Console,
    *,
    told: bool = True,
    offer: bool = False,
) -> tuple[GateReport, Columns, int]:
    """What the gate says of the rows, their columns, and how many splits there are.

    Args:
        config: Data, task and model.
        data: Rows in memory, or None.
        label_errors: As `check` has it.
        review: As there.
        page: As there.
        console: Where to tell.
        told: Show what was found; else it is looked at again when some of it is put right.
        offer: Say what could be put right.
    """
    console.heading("Data")
    config, tables = read_all(config, data, console)
    columns = find_columns(config, tables, console)
    tables = readable(tables, columns, config)
    labelled: dict[str, Table] = {}
    for split, table in tables.items():
        labelled[split], unlabelled = set_aside_unlabelled(table, *columns.labels)
        if len(unlabelled):
            console.say(f"  {len(unlabelled):,} rows of {table.source} have no label and are not checked")
    language = guess_language(sample_texts(next(iter(labelled.values())), columns, 4000)).language
    source = find_model(config, language)
    task = for_model(TASKS[config.task.name].built(columns, task_settings(config, source)), source)
    if task.answers in ("numbers", "ranking"):
        # Words among numbers are no finding: training cannot begin with them.
        learned = next(iter(labelled.values()))
        with in_file(learned):
            task.fit_state(learned)
        for table in labelled.values():
            with in_file(table):
                task.targets(table)
    max_length = find_max_length(config, source)
    tokenizer = load_tokenizer(source, max_length=max_length)
    rendered: list[Finding] = []
    lengths: Mapping[str, IntArray]
    if columns.layout is not None:
        lengths, rendered = written_lengths(task, labelled, tokenizer, max_length, console)
    else:
        lengths = {
            split: np.concatenate([np.zeros(0, np.int64), *task.token_lengths(table, tokenizer, max_length)])
            for split, table in labelled.items()
        }
    found = find_label_errors(
        labelled,
        columns,
        language=language,
        tokens=int(sum(np.minimum(each, max_length).sum() for each in lengths.values())),
        wanted=label_errors,
        console=console,
    )
    if review is not None and found is not None:
        write_review(review, found, labelled)
    shown = console if told else Console(quiet=True)
    shown.heading(f"Gate (cut at {max_length} tokens of {source.name})")
    check_input = CheckInput(labelled, columns, len(tables) > 1, lengths, max_length, source.max_positions, found)
    report, _ = gate(check_input, allowed=(), console=shown, rendered=rendered)
    for finding in report.findings:
        shown.say(f"  {finding.check}: {finding.fix}")
    if offer and (steps := mending_steps(report.findings, columns, several_splits=len(tables) > 1)):
        console.say(f"  supertune check DATA --fix FOLDER does in a copy: {', '.join(step.name for step in steps)}")
    if review is not None and found is not None:
        console.say(f"  {len(found.suspects):,} labels to decide about: {review}")
    if page is not None:
        name = ", ".join(dict.fromkeys(Path(table.source).name for table in tables.values()))
        write_text(page, gate_page(name, check_input, report.findings, lengths, "zh" if language == "zh" else "en"))
        console.say(f"  report: {page}")
    return report, columns, len(tables)
