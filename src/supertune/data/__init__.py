"""Rows before they are tensors: read them, find their columns, check them, split them."""

from __future__ import annotations

from supertune.data.augment import (
    AUGMENTERS,
    Amount,
    Augmented,
    Augmenter,
    BatchAugmenter,
    ChangedLabel,
    LabelsKept,
    Protection,
    augment,
    check_labels_can_be_kept,
    without_changed_labels,
)
from supertune.data.augmented_rows import AUGMENT_COLUMNS, AUGMENTED_FROM, AUGMENTER, added_rows, originals_repeated
from supertune.data.check import CHECKS, Check, CheckInput, Contaminated, contaminated_rows, leaked_rows, run_checks
from supertune.data.clean import OPERATORS, Cleaned, Operator, StepDone, TextCleaning, built, clean, default_steps
from supertune.data.columns import infer_columns, set_aside_unlabelled
from supertune.data.conversation_columns import conversations_in, well_formed
from supertune.data.difference import Difference, difference
from supertune.data.folds import NO_FOLD, Folds, folds_of_column, make_folds
from supertune.data.label_errors import (
    Applied,
    Decision,
    LabelErrors,
    apply_review,
    check_review_file,
    judge_labels,
    read_review,
    worth_judging,
    write_review,
)
from supertune.data.mixing import Ingredient, mixed
from supertune.data.names import is_question
from supertune.data.prepared import file_of, write_prepared
from supertune.data.ranking_columns import ranked_rows
from supertune.data.score_cache import ScoreCache
from supertune.data.sources import READERS, OnBadRow, Progress, read, read_splits
from supertune.data.split import complete_splits, of_added, split_table
from supertune.data.split_by_time import split_by_time
from supertune.data.split_sizes import shares_of
from supertune.data.table import BadRow, Step, Table
from supertune.data.table_file import TABLE_FORMATS, TableFormat, check_format, parse_format, write_table
from supertune.data.together import SOURCE, stacked
from supertune.data.token_cache import TokenCache, texts_fingerprint, tokens_folder

__all__ = [
    "AUGMENTED_FROM",
    "AUGMENTER",
    "AUGMENTERS",
    "AUGMENT_COLUMNS",
    "CHECKS",
    "NO_FOLD",
    "OPERATORS",
    "READERS",
    "SOURCE",
    "TABLE_FORMATS",
    "Amount",
    "Applied",
    "Augmented",
    "Augmenter",
    "BadRow",
    "BatchAugmenter",
    "ChangedLabel",
    "Check",
    "CheckInput",
    "Cleaned",
    "Contaminated",
    "Decision",
    "Difference",
    "Folds",
    "Ingredient",
    "LabelErrors",
    "LabelsKept",
    "OnBadRow",
    "Operator",
    "Progress",
    "Protection",
    "ScoreCache",
    "Step",
    "StepDone",
    "Table",
    "TableFormat",
    "TextCleaning",
    "TokenCache",
    "added_rows",
    "apply_review",
    "augment",
    "built",
    "check_format",
    "check_labels_can_be_kept",
    "check_review_file",
    "clean",
    "complete_splits",
    "contaminated_rows",
    "conversations_in",
    "default_steps",
    "difference",
    "file_of",
    "folds_of_column",
    "infer_columns",
    "is_question",
    "judge_labels",
    "leaked_rows",
    "make_folds",
    "mixed",
    "of_added",
    "originals_repeated",
    "parse_format",
    "ranked_rows",
    "read",
    "read_review",
    "read_splits",
    "run_checks",
    "set_aside_unlabelled",
    "shares_of",
    "split_by_time",
    "split_table",
    "stacked",
    "texts_fingerprint",
    "tokens_folder",
    "well_formed",
    "without_changed_labels",
    "worth_judging",
    "write_prepared",
    "write_review",
    "write_table",
]
