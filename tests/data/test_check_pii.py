"""The check for personal data: which rows, how many of what, and never the items themselves."""

import csv
import json
from pathlib import Path

import pytest

from supertune.contracts import Columns
from supertune.data import infer_columns
from supertune.data.check import CheckInput, run_checks
from supertune.data.table import Table

TICKETS = Path(__file__).parents[2] / "examples" / "support-tickets"
COLUMNS = Columns(("text",), ("label",))
ITEMS = ["13812345678", "jane.doe@mail.org", "4111 1111 1111 1111", "11010519491231002X", "hunter22"]


def found(*texts, split="all", columns=COLUMNS):
    rows = [{"text": text, "label": "x"} for text in texts]
    return run_checks(CheckInput({split: Table.from_rows(rows)}, columns), only=["pii"])


def test_rows_and_counts_are_told_and_items_are_not():
    (finding,) = found(
        "很好吃",
        f"电话{ITEMS[0]}",
        f"mail {ITEMS[1]} or call {ITEMS[0]}",
        f"{ITEMS[2]}，{ITEMS[3]}",
        f"password: {ITEMS[4]}",
    )
    assert (finding.check, finding.severity, finding.split, finding.rows) == ("pii", "warning", "all", (1, 2, 3, 4))
    assert finding.message == (
        "4 rows (80 %) hold what looks like personal data: 2 telephone numbers, 1 e-mail address, 1 bank card number, "
        "1 Chinese identity number, 1 key or password (row 1: 00000000000)"
    )
    assert "docs/personal-data.md" in finding.fix
    for item in ITEMS:
        assert item not in finding.message + finding.fix
        assert item[:4] not in finding.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail Jane.Doe@mail.org", "Xxxx.Xxx@xxxx.xxx"),
        ("车牌京A·12345", "xX·00000"),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "-----XXXXX XXXXXXX XXX--…"),
    ],
)
def test_one_row_is_told_with_the_shape_of_its_item(text, shown):
    (finding,) = found("ok", text, split="train")
    assert finding.message.startswith("1 row in train (50 %) holds what looks like personal data: 1 ")
    assert finding.message.endswith(f"(row 1: {shown})")


def test_clean_rows_have_no_findings():
    assert found("很好吃", "3 of 4 stars", "order number 4155552671", "", None) == []


def test_every_column_that_is_read_is_looked_at_and_no_other():
    rows = [{"title": "a", "body": "b", "note": ITEMS[0]}, {"title": f"call {ITEMS[0]}", "body": "c", "note": ""}]
    checked = CheckInput({"all": Table.from_rows(rows)}, Columns(("title", "body")))
    (finding,) = run_checks(checked, only=["pii"])
    assert finding.rows == (1,)


def test_conversations_are_looked_at_message_by_message():
    said = [
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}],
        [{"role": "user", "content": f"我的电话是{ITEMS[0]}"}, {"role": "assistant", "content": "好"}],
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": f"mail {ITEMS[1]}"}],
    ]
    table = Table.from_rows([{"messages": messages} for messages in said])
    columns = infer_columns(table, answers="generated")
    (finding,) = run_checks(CheckInput({"train": table}, columns), only=["pii"])
    assert finding.rows == (1, 2)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_rows_with_personal_data_in_the_example_are_found_and_no_others(language):
    with (TICKETS / f"tickets-{language}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    planted = json.loads((TICKETS / f"traps-{language}.json").read_text(encoding="utf-8"))["pii"]
    # Its identity number is of the region 000000, which there is not: so begin pseudonyms.
    planted = set(planted) - {"ZH-0471"}
    (finding,) = found(*(row["message"] for row in rows))
    assert [rows[row]["ticket"] for row in finding.rows] == sorted(planted)
