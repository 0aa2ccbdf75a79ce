"""Rows before they are tensors: read them, find their columns, check them, split them."""

from __future__ import annotations

from supertune.data.check import CHECKS, Check, CheckInput, Contaminated, contaminated_rows, leaked_rows, run_checks
from supertune.data.columns import infer_columns, set_aside_unlabelled
from supertune.data.conversation_columns import conversations_in, well_formed
from supertune.data.mixing import Ingredient, mixed
from supertune.data.names import is_question
from supertune.data.ranking_columns import ranked_rows
from supertune.data.score_cache import ScoreCache
from supertune.data.sources import READERS, OnBadRow, Progress, read, read_splits
from supertune.data.split import complete_splits, split_table
from supertune.data.table import BadRow, Step, Table
from supertune.data.together import SOURCE, stacked
from supertune.data.token_cache import TokenCache, texts_fingerprint, tokens_folder

__all__ = [
    "CHECKS",
    "READERS",
    "SOURCE",
    "BadRow",
    "Check",
    "CheckInput",
    "Contaminated",
    "Ingredient",
    "OnBadRow",
    "Progress",
    "ScoreCache",
    "Step",
    "Table",
    "TokenCache",
    "complete_splits",
    "contaminated_rows",
    "conversations_in",
    "infer_columns",
    "is_question",
    "leaked_rows",
    "mixed",
    "ranked_rows",
    "read",
    "read_splits",
    "run_checks",
    "set_aside_unlabelled",
    "split_table",
    "stacked",
    "texts_fingerprint",
    "tokens_folder",
    "well_formed",
]
