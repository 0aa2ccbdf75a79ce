"""Labels that are probably wrong: found, listed for a person to decide about, and changed as the person decided."""

from __future__ import annotations

from supertune.data.label_errors.apply import Applied, apply_review
from supertune.data.label_errors.found import Estimate, LabelErrors, Suspect
from supertune.data.label_errors.judge import judge_labels, worth_judging
from supertune.data.label_errors.review import Decision, check_review_file, read_review, write_review

__all__ = [
    "Applied",
    "Decision",
    "Estimate",
    "LabelErrors",
    "Suspect",
    "apply_review",
    "check_review_file",
    "judge_labels",
    "read_review",
    "worth_judging",
    "write_review",
]
