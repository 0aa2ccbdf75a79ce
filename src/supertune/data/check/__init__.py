"""The gate: what is wrong with the data, told before anything is trained on it.

A check is one function from a `CheckInput` to findings, in a file of its own, with its line in `CHECKS`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

from supertune.contracts import Finding
from supertune.data.check.answer_lengths import check_answer_lengths
from supertune.data.check.artefacts import check_artefacts
from supertune.data.check.bad_answers import check_answer_language, check_echoes, check_refusals, check_unfinished
from supertune.data.check.contamination import Contaminated, check_contamination, contaminated_rows
from supertune.data.check.control_tokens import check_control_tokens
from supertune.data.check.damaged_texts import check_damaged_texts
from supertune.data.check.drift import check_drift
from supertune.data.check.empty_answers import check_empty_answers
from supertune.data.check.empty_rows import check_empty_rows
from supertune.data.check.entities import check_entities
from supertune.data.check.exact_duplicates import check_exact_duplicates, surplus_rows
from supertune.data.check.imbalance import check_imbalance
from supertune.data.check.input import Check, CheckInput
from supertune.data.check.label_conflicts import check_label_conflicts
from supertune.data.check.label_errors import check_label_errors
from supertune.data.check.label_names import check_label_names
from supertune.data.check.language_mix import check_language
from supertune.data.check.leakage import check_leakage, leaked_rows
from supertune.data.check.long_rows import check_long_rows
from supertune.data.check.near_duplicates import check_near_duplicates
from supertune.data.check.negatives import check_negatives
from supertune.data.check.outliers import check_outliers
from supertune.data.check.pii import check_pii
from supertune.data.check.places import check_answers
from supertune.data.check.rare_classes import check_rare_classes
from supertune.data.check.role_order import check_role_order
from supertune.data.check.shortcuts import check_shortcuts
from supertune.data.check.summaries import check_summaries
from supertune.data.check.truncation import check_truncation
from supertune.data.check.unanswered import check_unanswered
from supertune.errors import UserError

__all__ = [
    "CHECKS",
    "Check",
    "CheckInput",
    "Contaminated",
    "contaminated_rows",
    "leaked_rows",
    "run_checks",
    "surplus_rows",
]

CHECKS: dict[str, Check] = {
    "empty-rows": check_empty_rows,
    "damaged-texts": check_damaged_texts,
    "exact-duplicates": check_exact_duplicates,
    "near-duplicates": check_near_duplicates,
    "label-names": check_label_names,
    "label-conflicts": check_label_conflicts,
    "label-errors": check_label_errors,
    "leakage": check_leakage,
    "contamination": check_contamination,
    "imbalance": check_imbalance,
    "rare-classes": check_rare_classes,
    "language": check_language,
    "shortcuts": check_shortcuts,
    "drift": check_drift,
    "outliers": check_outliers,
    "answers": check_answers,
    "negatives": check_negatives,
    "summaries": check_summaries,
    "entities": check_entities,
    "empty-answers": check_empty_answers,
    "unanswered": check_unanswered,
    "role-order": check_role_order,
    "artefacts": check_artefacts,
    "control-tokens": check_control_tokens,
    "refusals": check_refusals,
    "echoed-prompts": check_echoes,
    "unfinished-answers": check_unfinished,
    "answer-language": check_answer_language,
    "answer-lengths": check_answer_lengths,
    "long-rows": check_long_rows,
    "pii": check_pii,
    "truncation": check_truncation,
}


def run_checks(check_input: CheckInput, only: Collection[str] | None = None) -> list[Finding]:
    """Run the checks, all or those named, and give their findings in the order of `CHECKS`, then of the splits.

    Raises:
        UserError: A name in ``only`` is no check.
    """
    for name in only or ():
        if name not in CHECKS:
            close = difflib.get_close_matches(name, CHECKS, 1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            raise UserError(f"there is no check {name!r}", fix=f"{meant}Checks are: {', '.join(CHECKS)}")
    return [finding for name, check in CHECKS.items() if only is None or name in only for finding in check(check_input)]
