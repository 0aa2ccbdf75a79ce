"""What the gate says of texts to be written beside its checks: what their template and their length do to rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from supertune.console import Console
from supertune.contracts import Finding, IntArray, Severity, Task
from supertune.data import Table, conversations_in
from supertune.recipes.rows import without_blank_rows
from supertune.recipes.template import probed_rows, settled_template, template_told
from supertune.tasks import MOST_LOST, WAYS_ROUND, GenerationTask, RenderingCounts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def written_lengths(
    task: Task,
    tables: Mapping[str, Table],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    console: Console,
) -> tuple[dict[str, IntArray], list[Finding]]:
    """How many tokens each row has, of those that are learned, and what is wrong with the others.

    Args:
        task: What is learned.
        tables: The rows, by split; the first are to be learned from.
        tokenizer: The model's.
        max_length: Tokens per text.
        console: Where to tell what the template does.

    Raises:
        UserError: The template cannot be used, or nothing that ends an answer would be learned.
    """
    assert isinstance(task, GenerationTask)
    learned = next(iter(tables.values()))
    for announcement in template_told(task, task.encoder(tokenizer, max_length)):
        console.say(f"  {announcement}")
    probed = conversations_in(learned.select(probed_rows(learned), step="probe"), task.columns)
    settled = settled_template(task, tokenizer, max_length, probed)
    for announcement in settled.announcements:
        console.say(f"  {announcement}")
    lengths: dict[str, IntArray] = {}
    findings: list[Finding] = []
    for split, table in tables.items():
        said = without_blank_rows(table, task.columns)
        known, counts = _counted(settled.task, said, tokenizer, max_length)
        lengths[split] = np.zeros(len(table), np.int64)
        lengths[split][np.isin(table.row_ids, said.row_ids)] = known
        findings += _findings(counts.numbered(said.row_ids), split, len(table), learned=table is learned)
    return lengths, findings


def _counted(
    task: GenerationTask, table: Table, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[IntArray, RenderingCounts]:
    lengths: IntArray = np.zeros(len(table), np.int64)
    notes = None
    for piece in task.token_batches(table, tokenizer, max_length):
        np.maximum.at(lengths, piece.rows, piece.full_lengths)
        notes = piece.notes
    assert notes is not None
    return lengths, RenderingCounts.from_summary(notes)


def _findings(counts: RenderingCounts, split: str, total: int, *, learned: bool) -> Iterator[Finding]:
    """What training says of the same rows; where it is refused because of them, an error."""
    # Held-out rows that cannot be read are not measured, and training goes on.
    refusing: Severity = "error" if learned else "warning"
    within = "" if split == "all" else f" of {split}"

    def found(check: str, severity: Severity, rows: Collection[int], what: str, fix: str) -> Finding:
        count = f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'}{within} ({100 * len(rows) / total:.1f} %)"
        return Finding(check, severity, f"{count} {what}", fix, rows=tuple(sorted(rows)), split=split)

    most = counts.max_length
    for kind, rows in counts.problems.items():
        # What nobody has answered is left out.
        severity: Severity = "warning" if kind == "unanswered" else refusing
        yield found("unlearnable", severity, rows, f"cannot be learned: {counts.examples[kind]}", WAYS_ROUND[kind])
    if counts.lost_rows:
        above = len(counts.lost_rows) > MOST_LOST * counts.rows
        what = f"would lose part of what is learned at {most:,} tokens"
        fix = f"{counts.room}, or set task.too_long=drop to leave such rows out"
        yield found("cut-answers", refusing if above else "warning", counts.lost_rows, what, fix)
    if counts.silent_rows:
        what = f"would be left out: nothing is left to learn in {most:,} tokens"
        yield found("left-out", "warning", counts.silent_rows, what, counts.room)
    if counts.long_rows:
        what = f"would be left out: longer than {most:,} tokens, at most {max(counts.long_rows.values()):,}"
        dropped = refusing if counts.policy == "error" else "warning"
        yield found("left-out", dropped, counts.long_rows, what, f"{counts.room}, or set task.too_long=cut")
