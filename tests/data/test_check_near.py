"""What the gate says of near duplicates, and that splits keep them together."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns, Layout
from supertune.data import CheckInput, Table, infer_columns, read, run_checks, split_table
from supertune.data.near_duplicates import ALONE
from supertune.data.near_rows import near_rows
from supertune.data.split import complete_splits

COLUMNS = Columns(("text",), ("label",))
ORDER = "the parcel that I ordered three weeks ago has still not come and nobody answers my letters about it"
REVIEW = "味道真的很不错，分量也足，就是送餐有点慢，等了快一个小时才到，希望下次能快一点"


def other(text):
    """The same but for one unit."""
    return text.replace("three", "two").replace("真的", "确实")


def table(*pairs):
    return Table.from_rows([{"text": text, "label": label} for text, label in pairs])


def found(given_splits=False, columns=COLUMNS, **splits):
    return run_checks(CheckInput(splits, columns, given_splits), only=["near-duplicates"])


def filler(count, start=0):
    return [(f"row {number} 第{number}行", "x") for number in range(start, start + count)]


def test_within_a_split_they_are_an_information():
    rows = [*filler(5), (ORDER, "late"), (REVIEW, "good"), (ORDER.upper() + "!", "late"), (other(REVIEW), "bad")]
    [finding] = found(all=table(*rows))
    assert (finding.check, finding.severity, finding.split, finding.rows) == ("near-duplicates", "info", "all", (7, 8))
    assert finding.message == (
        "2 rows (22.2 %) are nearly the same as an earlier one (Jaccard similarity 0.8 or more), "
        "in 2 clusters of up to 2 different texts; e.g. rows 5 and 7; 1 cluster has different labels"
    )


def test_equal_texts_are_told_by_another_check():
    assert found(all=table((ORDER, "x"), (f" {ORDER}", "x"), (REVIEW, "y"), ("", "x"), ("", "x"))) == []
    [finding] = found(all=table((ORDER, "x"), (ORDER, "x"), (other(ORDER), "x"), (other(ORDER), "x")))
    assert finding.rows == (2,)


def test_row_numbers_are_those_of_the_file():
    rows = table(*filler(4), (ORDER, "late"), (other(ORDER), "late")).select([0, 4, 5], step="some")
    [finding] = found(all=rows)
    assert finding.rows == (5,)
    assert "e.g. rows 4 and 5" in finding.message


def test_across_splits_they_are_a_warning_and_an_error_above_one_in_twenty():
    train = table(*filler(30), (ORDER, "late"))
    test = [*filler(37, 100), (REVIEW, "good"), (other(ORDER), "late")]
    [finding] = found(True, train=train, test=table(*test))
    assert (finding.severity, finding.split, finding.rows) == ("warning", "test", (38,))
    assert finding.message == (
        "1 test row (2.6 %) is nearly the same as others that are looked at before (Jaccard similarity 0.8 or more): "
        "1 to train; e.g. row 38 and row 30 of train"
    )
    held = table(*test[18:], (other(REVIEW), "y"))
    within, finding = found(True, train=train, validation=table((REVIEW, "good")), test=held)
    assert (within.severity, within.rows) == ("info", (21,))
    assert (finding.severity, finding.rows) == ("error", (20, 21))
    assert "1 to train and 1 to validation" in finding.message
    assert found(False, train=train, test=table(*test)) == []


def test_rows_that_leak_exactly_are_not_told_twice():
    train, test = table(*filler(3), (ORDER, "late")), table(*filler(30, 50), (ORDER, "late"), (other(ORDER), "late"))
    across = [finding for finding in found(True, train=train, test=test) if finding.severity != "info"]
    assert [finding.rows for finding in across] == [(31,)]


def test_both_sides_of_a_pair_have_to_be_near():
    long = f"{ORDER} {ORDER.replace('parcel', 'letter')}"
    pairs = [
        (long, "what was ordered"),
        (long, "who answers"),
        (other(long), "What was ordered?"),
        ("who answers", long),
    ]
    rows = Table.from_rows([{"one": one, "two": two} for one, two in pairs])
    columns = Columns(("one", "two"), pair=True)
    one, two, three, four = near_rows({"all": rows}, columns).of["all"].tolist()
    assert one == three != ALONE
    assert two == four == ALONE
    either = Columns(("one", "two"), pair=True, symmetric=True)
    one, two, three, four = near_rows({"all": rows}, either).of["all"].tolist()
    assert one == three != two == four != ALONE


def test_what_the_system_says_is_left_aside_in_conversations():
    system = {"role": "system", "content": f"{ORDER} {REVIEW}"}
    rows = [
        [system, {"role": "user", "content": text}, {"role": "assistant", "content": "ok"}] for text in ("好", "坏")
    ]
    rows.append([{"role": "user", "content": "好！"}, {"role": "assistant", "content": "no"}])
    columns = Columns(("messages",), answers="generated", layout=Layout("messages", {"messages": "messages"}))
    conversations = Table.from_rows([{"messages": messages} for messages in rows])
    one, two, three = near_rows({"all": conversations}, columns).of["all"].tolist()
    assert one == three != ALONE == two


def test_in_conversations_they_stop_no_training():
    rows = Table.from_rows([{"prompt": ORDER, "completion": "sorry"}])
    held = Table.from_rows([{"prompt": other(ORDER), "completion": "sorry"}])
    [finding] = found(True, infer_columns(rows, answers="generated"), train=rows, test=held)
    assert (finding.severity, finding.rows) == ("warning", (0,))


def test_of_very_many_characters_some_rows_are_compared(monkeypatch):
    monkeypatch.setattr("supertune.data.check.input.MOST_CHARACTERS", 4000)
    train = table(*[(f"{ORDER} {number}", "x") for number in range(200)])
    test = table(*[(f"{ORDER} {number}", "x") for number in range(300, 310)])
    findings = found(True, train=train, test=test)
    assert len(findings) == 3
    near = CheckInput({"train": train, "test": test}, COLUMNS, True).near
    assert near.compared["test"] == 10
    assert 10 < near.compared["train"] < 40
    told = f"(only {near.compared['train']} of the 200 rows in train were compared)"
    assert findings[0].message.endswith(told)
    assert findings[2].message.endswith(told)
    assert len(findings[2].rows) == 10


any_text = st.sampled_from(
    [ORDER, other(ORDER), ORDER.upper(), REVIEW, other(REVIEW), "", "　", "好", "好！", "a b", "b a"]
)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(any_text, min_size=1, max_size=20), st.lists(any_text, min_size=1, max_size=20))
def test_the_gate_takes_any_rows(train, test):
    splits = {"train": table(*[(text, "x") for text in train]), "test": table(*[(text, "y") for text in test])}
    for finding in found(True, **splits):
        assert set(finding.rows) <= set(range(len(splits[finding.split])))
        assert finding.message
        assert finding.fix


def clustered(count):
    """Rows of which every fourth has a copy that differs in one unit."""
    rows = []
    for number in range(count):
        words = " ".join(f"w{(number * 31 + place * 7) % 997}" for place in range(20))
        rows.append((f"{number} {words}", number % 3))
        if number % 4 == 0:
            rows.append((f"{number} else {words}", number % 3))
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_a_split_keeps_them_together(seed):
    rows = table(*clustered(200))
    parts = split_table(rows, COLUMNS, seed=seed)
    assert sorted(np.concatenate([part.row_ids for part in parts.values()]).tolist()) == list(range(len(rows)))
    assert parts["test"].lineage[-1].parameters["near_duplicates"] == 100
    assert [finding for finding in found(True, **parts) if finding.severity != "info"] == []
    assert abs(len(parts["test"]) - 25) <= 4
    divided = split_table(rows, COLUMNS, seed=seed, near_duplicates=False)
    assert "near_duplicates" not in divided["test"].lineage[-1].parameters
    assert [finding.split for finding in found(True, **divided) if finding.severity != "info"]


def test_a_missing_split_is_cut_with_them_together():
    rows = table(*clustered(200))
    completed = complete_splits({"train": rows, "test": table(*filler(20))}, COLUMNS, seed=1)
    assert [finding for finding in found(True, **completed.tables) if finding.severity != "info"] == []


def test_groups_and_near_duplicates_hold_together_through_third_rows():
    rows = clustered(200)
    people = Table.from_rows(
        [{"text": text, "label": label, "person": number // 3} for number, (text, label) in enumerate(rows)]
    )
    parts = split_table(people, Columns(("text",), ("label",), group="person"), seed=2)
    for name in ("person",):
        values = [set(part.column(name)) for part in parts.values()]
        assert sum(map(len, values)) == len(set.union(*values))
    assert [finding for finding in found(True, **parts) if finding.severity != "info"] == []


def test_forms_that_fill_the_whole_table_are_divided_all_the_same():
    form = "your order number {} was sent today and will be with you within the next three days thank you very much"
    rows = table(*[(form.format(number), number % 2) for number in range(100)])
    parts = split_table(rows, COLUMNS, seed=0)
    assert [len(part) for part in parts.values()] == [80, 10, 10]
    assert parts["test"].lineage[-1].parameters["near_duplicates"] == 0


def test_equal_and_nearly_equal_rows_are_one_group():
    rows = [*filler(80), *[(ORDER, "x")] * 2, (other(ORDER), "x"), (ORDER.title(), "x")]
    for seed in range(8):
        parts = split_table(table(*rows), COLUMNS, seed=seed)
        assert sorted(len(set(part.row_ids.tolist()) & {80, 81, 82, 83}) for part in parts.values()) == [0, 0, 4]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_pairs_planted_in_the_example_are_found_and_no_others(language):
    folder = Path(__file__).parents[2] / "examples" / "support-tickets"
    tickets = read(folder / f"tickets-{language}.csv")
    traps = json.loads((folder / f"traps-{language}.json").read_text("utf-8"))
    row_of = {ticket: row for row, ticket in enumerate(tickets.column("ticket"))}
    planted = {tuple(sorted(row_of[ticket] for ticket in pair)) for pair in traps["near_duplicates"]}
    [finding] = found(all=tickets, columns=infer_columns(tickets))
    assert finding.rows == tuple(sorted(max(pair) for pair in planted))
    near = near_rows({"all": tickets}, infer_columns(tickets)).of["all"]
    assert all(near[one] == near[other] != ALONE for one, other in planted)
