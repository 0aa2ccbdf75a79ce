"""Answers that are not ones to learn from: refusals, echoes, answers cut off, answers in another language."""

from __future__ import annotations

from supertune.contracts import Finding, Severity
from supertune.data.check.input import CheckInput
from supertune.data.check.odd_rows import Kind, findings_of, info, warning_of_many

_DROP = "supertune clean DATA --task TASK --step 'answers: {{signs: [{0}]}}' --out cleaned"


def check_refusals(check_input: CheckInput) -> list[Finding]:
    """Find answers that begin by refusing: "As an AI language model, I cannot", 抱歉，我无法."""
    kind = Kind(
        "refusals",
        "has an answer that refuses, or says that nothing was given to work on",
        "have answers that refuse, or say that nothing was given to work on",
        warning_of_many,
        "nothing, if the model is to refuse such requests; else leave them out: " + _DROP.format("refusals"),
    )
    return findings_of(check_input, "refusals", (kind,))


def check_echoes(check_input: CheckInput) -> list[Finding]:
    """Find answers that begin by saying again what was asked."""
    kind = Kind(
        "echoes",
        "has an answer that says again what was asked",
        "have answers that say again what was asked",
        warning_of_many,
        "take the question out of these answers, or leave them out: " + _DROP.format("echoes"),
    )
    return findings_of(check_input, "echoed-prompts", (kind,))


def check_unfinished(check_input: CheckInput) -> list[Finding]:
    """Find answers that end in a sentence or a block of code: whoever made them had no more room."""
    kind = Kind(
        "unfinished",
        "has an answer that is not finished",
        "have answers that are not finished",
        warning_of_many,
        "finish them, or leave them out, for the model learns to stop like this: " + _DROP.format("unfinished"),
    )
    return findings_of(check_input, "unfinished-answers", (kind,))


def check_answer_language(check_input: CheckInput) -> list[Finding]:
    """Find answers in another script than their prompts, where nothing asks for it; translations are meant to be."""
    layout = check_input.columns.layout
    if layout is not None and layout.format == "translation":
        return []
    kind = Kind(
        "languages",
        "has an answer in another language than what was asked",
        "have answers in another language than what was asked",
        _warning_unless_most,
        "nothing, if that is wanted; else leave them out: " + _DROP.format("languages"),
    )
    return findings_of(check_input, "answer-language", (kind,))


def _warning_unless_most(count: int, rows: int, learned: bool) -> Severity:
    """Where most answers are in another language, that is what the data are for."""
    return info(count, rows, learned) if count * 2 > rows else warning_of_many(count, rows, learned)
