"""Text and label are found by name, then by shape; when neither decides, the user is asked."""

from __future__ import annotations

import random
from typing import Any

import pytest

from supertune.contracts import Columns
from supertune.data import Table, infer_columns, set_aside_unlabelled
from supertune.errors import UserError

ROWS = 60
SENTENCE = "the parcel was late and nobody answered my call about the broken screen of this phone"
Values = list[Any]


def free_text(seed: int = 0, words: int = 8) -> Values:
    source = random.Random(seed)
    return [" ".join(source.choices(SENTENCE.split(), k=words)) + f" {row}" for row in range(ROWS)]


def chinese_text() -> Values:
    source = random.Random(1)
    return ["".join(source.choices("快递还没到退款什么时候发货订单很慢", k=14)) + str(row) for row in range(ROWS)]


def classes(*names: Any) -> Values:
    return [names[row % len(names)] for row in range(ROWS)]


TEXT, LABEL, IDS = free_text(), classes("a", "b", "c"), [f"A-{row:05d}" for row in range(ROWS)]
NUMBERS = [row / 7 for row in range(ROWS)]


def table(**columns: Values) -> Table:
    names = list(columns)
    return Table.from_rows([dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def roles(columns: Columns) -> tuple[tuple[str, ...], str | None]:
    return columns.text, columns.label


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        ({"text": TEXT, "label": LABEL}, ("text",), "label"),
        ({"label": classes(0, 1), "review": TEXT}, ("review",), "label"),
        ({"评论": chinese_text(), "标签": classes("好", "坏")}, ("评论",), "标签"),
        ({"内容": chinese_text(), "类别": classes("好", "坏"), "编号": IDS}, ("内容",), "类别"),
        ({" Text ": TEXT, "LABEL": LABEL}, (" Text ",), "LABEL"),
        ({"id": IDS, "message": TEXT, "intent": LABEL}, ("message",), "intent"),
        ({"text": TEXT, "label": LABEL, "fine_label": classes("x", "y")}, ("text",), "label"),
        ({"text": TEXT, "label": LABEL, "category": classes("x", "y")}, ("text",), "label"),
        ({"text": TEXT, "sentiment": classes(True, False), "topic_id": LABEL}, ("text",), "sentiment"),
        ({"customer_message": TEXT, "ticketCategory": LABEL}, ("customer_message",), "ticketCategory"),
        ({"用户评论": chinese_text(), "问题类别": LABEL, "用户编号": IDS}, ("用户评论",), "问题类别"),
        ({"title": free_text(1, 3), "body": TEXT, "label": LABEL}, ("title", "body"), "label"),
        ({"标题": chinese_text(), "正文": chinese_text(), "分类": LABEL}, ("标题", "正文"), "分类"),
        ({"body": TEXT, "title": classes("x", "y"), "label": LABEL}, ("body",), "label"),
        ({"title": TEXT, "label": LABEL}, ("title",), "label"),
        ({"col1": IDS, "col2": TEXT, "col3": LABEL}, ("col2",), "col3"),
        ({"col1": TEXT, "col2": classes("x"), "col3": LABEL, "col4": NUMBERS}, ("col1",), "col3"),
        ({"col1": TEXT, "col2": free_text(3, 30), "label": LABEL}, ("col2",), "label"),
        ({"text": TEXT, "answer": free_text(5), "kind": LABEL}, ("text",), "kind"),
        ({"text": classes("很好", "很差", "好", "差"), "label": LABEL}, ("text",), "label"),
        ({"label": LABEL, "text_b": TEXT, "text_a": free_text(2)}, ("text_a", "text_b"), "label"),
        ({"Premise": TEXT, "Hypothesis": free_text(2), "label": LABEL}, ("Premise", "Hypothesis"), "label"),
        ({"句子1": chinese_text(), "句子2": chinese_text(), "标签": LABEL}, ("句子1", "句子2"), "标签"),
        ({"Sentence 1": TEXT, "Sentence 2": free_text(2), "label": LABEL}, ("Sentence 1", "Sentence 2"), "label"),
        ({"句子_１": chinese_text(), "句子_２": chinese_text(), "标签": LABEL}, ("句子_１", "句子_２"), "标签"),
        ({"文本a": chinese_text(), "文本b": chinese_text(), "标签": LABEL}, ("文本a", "文本b"), "标签"),
        ({"text": TEXT, "premise": free_text(3), "hypothesis": free_text(4), "label": LABEL}, ("text",), "label"),
    ],
)
def test_found(columns: dict[str, Values], text: tuple[str, ...], label: str) -> None:
    found = infer_columns(table(**columns))
    assert roles(found) == (text, label)
    assert len(found.announcements) == 2
    assert repr(text[-1]) in found.announcements[0]
    assert repr(label) in found.announcements[1]


@pytest.mark.parametrize(
    ("columns", "message", "fix"),
    [
        (
            {"text": TEXT, "intent": LABEL, "sentiment": classes(0, 1)},
            "2 columns could be the label: 'intent'",
            "--label",
        ),
        ({"text": TEXT, "x": LABEL, "y1": classes(0, 1)}, "'x' (text, e.g. 'a', 'b', 'c')", "--label NAME"),
        ({"review": TEXT, "comment": free_text(2), "label": LABEL}, "2 columns could be the text", "--text NAME"),
        ({"left": TEXT, "right": free_text(2), "label": LABEL}, "2 columns could be the text", "--text NAME"),
        ({"text": TEXT}, "no column looks like a label: there is no other column", "--label NAME"),
        ({"text": TEXT, "number": NUMBERS}, "no column looks like a label: 'number' (numbers", "--label NAME"),
        ({"label": LABEL}, "no column looks like text: there is no other column", "--text NAME"),
        ({"text": classes(1, 2), "label": LABEL}, "no column looks like text: 'text' (integers", "--text NAME"),
        ({"text": TEXT, "label": NUMBERS}, "cannot be a number with a fraction", "--task regression"),
        ({"text": TEXT, "label": IDS}, "60 of 60 labels differ", "--label NAME"),
        ({"text": TEXT, "label": list(range(ROWS))}, "60 of 60 labels differ", "--label NAME"),
        ({"text": TEXT, "label": [["a"]] * ROWS}, "holds lists or objects", "--label NAME"),
        ({"text": TEXT, "label": [{"a": 1}] * ROWS}, "holds lists or objects", "--label NAME"),
        ({"text": TEXT, "label": [None] * ROWS}, "holds nothing but empty values", "--label NAME"),
    ],
)
def test_asked(columns: dict[str, Values], message: str, fix: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_columns(table(**columns))
    assert message in caught.value.message
    assert fix in caught.value.message


def test_named_columns_win() -> None:
    rows = table(text=TEXT, note=free_text(4), label=LABEL, other=classes(1, 2), score=NUMBERS)
    assert roles(infer_columns(rows, text="note", label="other")) == (("note",), "other")
    assert roles(infer_columns(rows, text=["note", "text"])) == (("note", "text"), "label")
    assert roles(infer_columns(rows, label="other")) == (("text",), "other")
    assert infer_columns(rows, text="note", label="other").announcements == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "txet"}, "did you mean --text 'text'?"),
        ({"label": "Label"}, "did you mean --label 'label'?"),
        ({"label": "zzz"}, "its columns are 'text', 'label', 'score', 'many'"),
        ({"text": ["text", "nope"]}, "has no column 'nope'"),
        ({"text": "score"}, "holds numbers with fractions, not text"),
        ({"text": "text", "label": "text"}, "cannot be both"),
        ({"label": "score"}, "cannot be a number with a fraction"),
        ({"label": "many"}, "60 of 60 labels differ"),
    ],
)
def test_named_columns_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_columns(table(text=TEXT, label=LABEL, score=NUMBERS, many=IDS), **options)
    assert message in caught.value.message


def test_a_label_is_not_always_needed() -> None:
    assert roles(infer_columns(table(text=TEXT), need_label=False)) == (("text",), None)
    assert roles(infer_columns(table(text=TEXT, label=LABEL), need_label=False)) == (("text",), "label")
    assert infer_columns(table(text=TEXT, intent=LABEL, topic=LABEL), need_label=False).label is None
    assert infer_columns(table(text=TEXT, kind=LABEL), need_label=False).label is None


def test_few_rows_are_enough() -> None:
    rows = [{"text": "good", "label": "pos"}, {"text": "bad", "label": "neg"}]
    assert roles(infer_columns(Table.from_rows(rows))) == (("text",), "label")
    assert roles(infer_columns(Table.from_rows([{"text": "good"}]), need_label=False)) == (("text",), None)


def test_a_file_sorted_by_class_is_seen_whole() -> None:
    rows = [{"text": f"a text of its own {row}", "kind": "x" if row < 30_000 else "y"} for row in range(40_000)]
    assert infer_columns(Table.from_rows(rows)).label == "kind"


def test_unlabelled_rows_are_set_aside() -> None:
    labels = ["a", None, "", " \u3000", "\u200b", "b"]
    rows = Table.from_rows([{"text": str(row), "label": label} for row, label in enumerate(labels)])
    labelled, unlabelled = set_aside_unlabelled(rows, "label")
    assert labelled.row_ids.tolist() == [0, 5]
    assert unlabelled.row_ids.tolist() == [1, 2, 3, 4]
    assert labelled.lineage[-1].reason == "4 rows have no label"
    zeros = Table.from_rows([{"label": 0}, {"label": None}])
    assert set_aside_unlabelled(zeros, "label")[0].column("label") == [0]
    whole, none = set_aside_unlabelled(Table.from_rows([{"label": False}]), "label")
    assert (len(whole), len(none), whole.lineage) == (1, 0, ())


# -------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        ({"text": TEXT, "score": NUMBERS}, "score"),
        ({"text": TEXT, "价格": NUMBERS, "id": list(range(ROWS))}, "价格"),
        ({"text": TEXT, "how much": [row % 7 for row in range(ROWS)], "row": list(range(ROWS))}, "how much"),
        ({"text": TEXT, "label": [row % 5 for row in range(ROWS)], "score": NUMBERS}, "label"),
    ],
)
def test_numbers_are_found(columns: dict[str, Values], label: str) -> None:
    assert infer_columns(table(**columns), answers="numbers").labels == (label,)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": list(range(ROWS)), "text": TEXT, "price": [f"${row}.50" for row in range(ROWS)]}, "'price'"),
        ({"id": list(range(ROWS)), "text": TEXT, "label": ["3 stars", "4 stars"] * 30}, "'label'"),
        ({"text": TEXT, "评分": ["4分", "5分"] * 30, "编号": list(range(ROWS))}, "'评分'"),
        ({"text": TEXT, "id": list(range(ROWS))}, "no column looks like numbers to learn"),
        ({"text": TEXT, "a": NUMBERS, "b": NUMBERS[::-1]}, "2 columns could be the label"),
    ],
)
def test_what_is_called_a_number_and_is_none_is_refused(columns: dict[str, Values], message: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_columns(table(**columns), answers="numbers")
    assert message in f"{caught.value.where} {caught.value.what}"
