"""The gate as a whole: names, selection, and that no text makes it stumble."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.data.check import CHECKS, CheckInput, run_checks
from supertune.data.storage import FileStorage
from supertune.data.table import Origin, Table
from supertune.errors import UserError
from supertune.language import fold, is_blank

COLUMNS = Columns(("text",), ("label",))
steady = settings(deadline=None, derandomize=True)
NAMES = [
    *(
        "empty-rows",
        "damaged-texts",
        "exact-duplicates",
        "near-duplicates",
        "label-names",
        "label-conflicts",
        "label-errors",
        "leakage",
        "contamination",
    ),
    *("imbalance", "rare-classes", "language", "shortcuts", "drift"),
    *("outliers", "answers", "negatives", "summaries", "entities"),
    *("empty-answers", "unanswered", "role-order", "artefacts", "control-tokens"),
    *("refusals", "echoed-prompts", "unfinished-answers", "answer-language", "answer-lengths"),
    *("long-rows", "pii", "truncation"),
]

any_text = st.text(max_size=12) | st.sampled_from(["", "　", "\u200b\ufeff", "é", "e\u0301", "好 吃", "好　吃", "👍🏽"])
any_label = st.sampled_from(["投诉", "praise", "", None])
any_rows = st.lists(st.fixed_dictionaries({"text": any_text, "label": any_label}), max_size=25)


def table(rows):
    return Table.from_rows([{"text": "", "label": "x"}, *rows]).select(
        np.arange(1, len(rows) + 1), step="without the row that fixes the columns' types"
    )


def everything_wrong():
    rows = [{"text": f"好吃 {number}", "label": "good"} for number in range(90)]
    rows += [{"text": "same", "label": "good"}, {"text": "same", "label": "good"}, {"text": "same", "label": "bad"}]
    rows += [
        {"text": " ", "label": "bad"},
        {"text": "Twice, nearly.", "label": "bad"},
        {"text": "twice nearly", "label": "bad"},
    ]
    splits = {"train": Table.from_rows(rows), "test": Table.from_rows([{"text": "same", "label": "ugly"}])}
    lengths = {"train": np.arange(len(rows)), "test": np.array([3])}
    return CheckInput(splits, COLUMNS, given_splits=True, token_lengths=lengths, max_length=50)


def test_names_are_those_of_the_contract_and_of_the_findings():
    assert list(CHECKS) == NAMES
    found = run_checks(everything_wrong())
    for name, check in CHECKS.items():
        assert {finding.check for finding in check(everything_wrong())} <= {name}
    special = {
        "damaged-texts",
        "label-names",
        "shortcuts",
        "drift",
        "language",
        "outliers",
        "answers",
        "negatives",
        "summaries",
        "entities",
    }
    special |= {"refusals", "echoed-prompts", "unfinished-answers", "answer-language", "answer-lengths"}
    special |= {
        "label-errors",
        "contamination",
        "empty-answers",
        "unanswered",
        "role-order",
        "artefacts",
        "control-tokens",
        "long-rows",
        "pii",
    }
    assert {finding.check for finding in found} == set(NAMES) - special
    assert [finding.check for finding in found] == sorted((f.check for f in found), key=NAMES.index)


def test_only_runs_what_is_named():
    assert {finding.check for finding in run_checks(everything_wrong(), only=["empty-rows", "leakage"])} == {
        "empty-rows",
        "leakage",
    }
    assert run_checks(everything_wrong(), only=[]) == []


def test_an_unknown_name_is_answered_with_the_closest():
    with pytest.raises(UserError) as raised:
        run_checks(everything_wrong(), only=["leakage", "lable-conflicts"])
    assert "'lable-conflicts'" in raised.value.what
    assert "'label-conflicts'" in raised.value.fix


def test_clean_rows_have_no_findings():
    rows = [{"text": f"第 {number} 个", "label": ("好评", "差评")[number % 2]} for number in range(10, 50)]
    assert run_checks(CheckInput({"all": Table.from_rows(rows)}, COLUMNS)) == []


def test_without_a_label_column_only_texts_are_checked():
    rows = [{"text": text} for text in ("a", "a", "", "b")]
    found = run_checks(CheckInput({"all": Table.from_rows(rows)}, Columns(("text",))))
    assert [(finding.check, finding.rows) for finding in found] == [("empty-rows", (2,)), ("exact-duplicates", (1,))]


def test_row_numbers_are_those_of_the_file():
    rows = [{"text": text, "label": "x"} for text in ("skipped", "a", "skipped", "a", "")]
    remaining = Table.from_rows(rows).select([1, 3, 4], step="skip")
    found = run_checks(CheckInput({"all": remaining}, COLUMNS), only=["empty-rows", "exact-duplicates"])
    assert [finding.rows for finding in found] == [(4,), (3,)]


@steady
@given(any_rows, any_rows, st.booleans())
def test_no_text_makes_a_check_stumble(train, test, given_splits):
    splits = {"train": table(train), "test": table(test)}
    lengths = {split: np.arange(len(rows)) for split, rows in splits.items()}
    checked = CheckInput(splits, COLUMNS, given_splits, lengths, max_length=8)
    for finding in run_checks(checked):
        assert finding.message
        assert finding.fix
        assert "\n" not in finding.message
        assert list(finding.rows) == sorted(set(finding.rows))
        assert all(row in splits[finding.split].row_ids for row in finding.rows)
        json.dumps(finding.rows)


@steady
@given(any_rows, any_rows)
def test_findings_agree_with_a_plain_count(train, test):
    """The definitions, written down a second time without arrays or keys."""
    splits = {"train": table(train), "test": table(test)}
    found = {(finding.check, finding.split): finding.rows for finding in run_checks(CheckInput(splits, COLUMNS, True))}
    rows = {"train": train, "test": test}
    labels_of = {}
    for row in (*train, *test):
        if row["label"] is not None:
            labels_of.setdefault(fold(row["text"]), set()).add(row["label"])
    for split, members in rows.items():
        seen, surplus, conflicts, empty, leaked = set(), [], [], [], []
        for number, row in enumerate(members, start=1):
            text = fold(row["text"])
            if is_blank(text):
                empty.append(number)
                continue
            if (text, row["label"]) in seen:
                surplus.append(number)
            seen.add((text, row["label"]))
            if row["label"] is not None and len(labels_of[text]) > 1:
                conflicts.append(number)
            if split == "test" and text in {fold(other["text"]) for other in train}:
                leaked.append(number)
        assert found.get(("empty-rows", split), ()) == tuple(empty)
        assert found.get(("exact-duplicates", split), ()) == tuple(surplus)
        assert found.get(("label-conflicts", split), ()) == tuple(conflicts)
        assert found.get(("leakage", split), ()) == tuple(leaked)


def test_rows_in_a_file_are_checked_like_rows_in_memory(tmp_path):
    rows = [{"text": f"第{number % 40}条", "label": "ab"[number % 3 == 0]} for number in range(60)]
    content = pa.Table.from_pylist(rows)
    path = tmp_path / "rows.arrow"
    with pa.ipc.new_file(path, content.schema) as writer:
        writer.write_table(content, max_chunksize=7)
    batches = (7,) * 8 + (4,)
    in_file = Table(FileStorage(path, batches), Origin(str(path)))
    found = run_checks(CheckInput({"all": in_file}, COLUMNS))
    assert found == run_checks(CheckInput({"all": Table.from_rows(rows)}, COLUMNS))
    assert {"exact-duplicates", "label-conflicts"} <= {finding.check for finding in found}
