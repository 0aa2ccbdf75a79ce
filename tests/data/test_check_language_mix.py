"""Rows in another language than most, and splits whose languages differ."""

import numpy as np

from supertune.contracts import Columns
from supertune.data.check import CheckInput, run_checks
from supertune.data.table import Table

COLUMNS = Columns(("text",), ("label",))
ENGLISH = [
    f"The waiter was kind to table {number}, but the soup came late and was nearly cold." for number in range(60)
]
CHINESE = [f"送餐很快，第{number}次点了，味道一如既往的好" for number in range(60)]
FRENCH = [
    f"Le serveur était aimable avec la table {number}, mais la soupe est arrivée tard et froide."
    for number in range(60)
]


def found(**texts):
    rows = {split: [{"text": text, "label": "x"} for text in values] for split, values in texts.items()}
    splits = {split: Table.from_rows(values) for split, values in rows.items()}
    return run_checks(CheckInput(splits, COLUMNS, given_splits=True), only=["language"])


def test_rows_in_another_script_or_language_are_named():
    (finding,) = found(all=[*ENGLISH[:30], CHINESE[0], *ENGLISH[30:], FRENCH[0]])
    assert (finding.severity, finding.rows) == ("info", (30, 61))
    assert "2 rows (3.2 %) are not in English as most are: " in finding.message
    assert "Chinese 1, French 1 (row 30: Chinese)" in finding.message
    assert "language: {keep: [en]}" in finding.fix


def test_english_among_chinese_is_named():
    (finding,) = found(all=[*CHINESE, ENGLISH[0]])
    assert finding.rows == (60,)
    assert "1 row (1.6 %) is not in Chinese as most are: English 1" in finding.message


def test_short_and_mixed_texts_raise_no_alarm():
    short = [
        "OK",
        "spiderman rocks",
        "odd and weird .",
        "très bon",
        "真",
        "wishy-washy .",
        "123",
        "",
        "👍",
        "déjà vu !",
    ]
    quoting = "My teacher's name is 王小明, and she told us about 北京 on that day."
    assert found(all=[*ENGLISH, *short, quoting]) == []
    assert found(all=[*CHINESE, "very good", "OK", "好吃の店很好", "KFC 的 McSpicy 很好吃"]) == []


def test_a_table_in_two_languages_is_meant_to_be_so():
    assert found(all=[*ENGLISH, *CHINESE]) == []


def test_held_out_rows_in_other_languages_are_told():
    (finding,) = [f for f in found(train=ENGLISH, test=[*ENGLISH[:30], *CHINESE[:30]]) if f.severity == "warning"]
    assert finding.split == "test"
    assert "50 % of the rows are in Chinese, and 0 % of train" in finding.message
    (finding,) = [f for f in found(train=[*ENGLISH, *FRENCH], test=ENGLISH) if f.severity == "warning"]
    assert finding.split == "test"


def test_chance_is_no_difference():
    generator = np.random.default_rng(0)
    both = np.array([*ENGLISH, *CHINESE])
    for _ in range(20):
        mixed = generator.permutation(both).tolist()
        assert found(train=mixed[:80], test=mixed[80:]) == []


def test_of_many_rows_some_are_looked_at(monkeypatch):
    monkeypatch.setattr("supertune.data.check.language_mix._RECOGNISED", 20)
    rows = [*ENGLISH, *FRENCH[:12]]
    (finding,) = found(all=rows)
    assert "of those looked at" in finding.message
    assert set(finding.rows) < set(range(60, 72))
    assert found(all=rows) == [finding]
