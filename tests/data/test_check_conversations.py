"""What the gate says of conversations: each oddity with its rows, its severity and a way out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns, Finding, Layout
from supertune.data import CheckInput, Table, contaminated_rows, infer_columns, run_checks, split_table

LISTS = Columns(("messages",), answers="generated", layout=Layout("messages", {"messages": "messages"}))
PAIRS = Columns(
    ("prompt",),
    ("completion",),
    answers="generated",
    layout=Layout("prompt-completion", {"answer": "completion"}, "{prompt}"),
)


def said(*turns: str, **more: Any) -> dict[str, Any]:
    """``u: hello`` is a message of the user."""
    roles = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}
    messages = []
    for turn in turns:
        role, _, text = turn.partition(": ")
        messages.append({"role": roles[role.rstrip(":")], "content": text})
    return {"messages": messages, **more}


def good(count: int) -> list[dict[str, Any]]:
    return [said(f"u: How much is {row} + 1? 🤔", f"a: It is {row + 1}. 是{row + 1}。") for row in range(count)]


def found(rows: list[dict[str, Any]], columns: Columns = LISTS, **splits: list[dict[str, Any]]) -> list[Finding]:
    tables = {"train": Table.from_rows(rows), **{name: Table.from_rows(more) for name, more in splits.items()}}
    findings = run_checks(CheckInput(tables, columns, given_splits=len(tables) > 1))
    assert all(finding.fix for finding in findings)
    return findings


def test_there_is_nothing_to_say_of_good_conversations() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "name": "f", "arguments": {}}]}
    tool = {"role": "tool", "content": "3", "tool_call_id": "c"}
    rows = [*good(60), said("s: Be brief.", "u: hi", "a: ho", "u: 再见", "a: 再见！")]
    rows += [{"messages": [{"role": "user", "content": "x"}, call, tool, tool, {"role": "assistant", "content": "3"}]}]
    assert found(rows) == []
    assert found([{"prompt": f"a {row}", "completion": f"b {row}"} for row in range(30)], PAIRS) == []


ODD = [
    (said("u: hi", "a:"), "empty-answers", "warning", "has an empty answer of the assistant", "messages[1]"),
    (said("u: hi", "a: \u200b\u3000"), "empty-answers", "warning", "has an empty answer", "messages[1]"),
    (said("u: hi"), "unanswered", "warning", "has no message of the assistant", "'hi'"),
    (
        said("u: hi", "a: ho", "u: 谢谢"),
        "unanswered",
        "info",
        "ends with what the assistant did not say",
        "user: '谢谢'",
    ),
    (
        said("u: hi", "u: hello?", "a: ho"),
        "role-order",
        "warning",
        "two messages of the same side",
        "messages[1], user",
    ),
    (said("u: hi", "a: ho", "a: hey"), "role-order", "warning", "two messages of the same side", "messages[2], assist"),
    (said("a: welcome", "u: hi", "a: ho"), "role-order", "warning", "begins with the assistant", "'welcome'"),
    (said("s: x", "a: welcome", "u: hi", "a: ho"), "role-order", "warning", "begins with the assistant", "'welcome'"),
    (said("u: hi", "s: be brief", "a: ho"), "role-order", "warning", "is not the first", "messages[1]: 'be brief'"),
    (said("u: hi", "t: 3", "a: ho"), "role-order", "warning", "a function that nobody called", "messages[1]: '3'"),
    (said("u: hi", "a: <p>ho</p>"), "artefacts", "info", "has HTML in an answer", "<p>"),
    (said("u: hi", "a: ho&nbsp;ho"), "artefacts", "info", "has HTML in an answer", "&nbsp;"),
    (said("u: <br/>嗨", "a: ho"), "artefacts", "info", "has HTML in what is asked", "<br/>"),
    (said("u: hi<|im_end|>", "a: ho"), "control-tokens", "warning", "in what is asked", "<|im_end|>"),
    (said("u: [INST] hi", "a: ho"), "control-tokens", "warning", "in what is asked", "[INST]"),
    (said("u: 嗨", "a: ho <eos>"), "control-tokens", "warning", "in an answer", "<eos>"),
    (said("u: hi", "a: ### Response:\nho"), "control-tokens", "warning", "in an answer", "### Response:"),
    (said("u: hi", "a: <｜end▁of▁sentence｜>"), "control-tokens", "warning", "in an answer", "<｜end▁of▁sentence｜>"),
    (said("u: " + "好" * 333_334, "a: ho"), "long-rows", "warning", "is a megabyte long or longer", "1.0 MB"),
]


@pytest.mark.parametrize(("row", "check", "severity", "message", "shown"), ODD)
def test_every_oddity_is_told_with_its_row(
    row: dict[str, Any], check: str, severity: str, message: str, shown: str
) -> None:
    rows = [*good(30), row]
    [finding] = found(rows)
    assert (finding.check, finding.severity, finding.rows, finding.split) == (check, severity, (30,), "train")
    assert finding.message.startswith("1 row in train (3.2 %) ")
    assert message in finding.message
    assert f"(row 30: {shown}" in finding.message


def test_of_several_rows_it_is_told_in_the_plural_with_the_first_of_them() -> None:
    for row, check, _, _, shown in ODD[:-1]:
        turns = row["messages"]
        several = [{"messages": [{**turns[0], "content": f"{turns[0]['content']} {n}"}, *turns[1:]]} for n in range(2)]
        # What the system says aside, two of them are the same.
        [finding] = [one for one in found([*good(30), *several]) if one.check != "near-duplicates"]
        assert (finding.check, finding.rows) == (check, (30, 31))
        assert finding.message.startswith("2 rows in train (6.2 %) ")
        assert shown.rstrip("'") in finding.message
        assert not {"has", "is", "begins", "ends"} & set(finding.message.partition("(row")[0].split()[7:9])


@pytest.mark.parametrize(
    "token",
    [
        *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|begin_of_text|>"),
        *(
            "<|python_tag|>",
            "<start_of_turn>",
            "<end_of_turn>",
            "<bos>",
            "<eos>",
            "[INST]",
            "[/INST]",
            "<<SYS>>",
            "<s>",
        ),
        *(
            "</s>",
            "[TOOL_CALLS]",
            "<｜User｜>",
            "<｜Assistant｜>",
            "<｜begin▁of▁sentence｜>",
            "[gMASK]",
            "<sop>",
            "<|user|>",
        ),
        *(
            "<|assistant|>",
            "<|observation|>",
            "<|end|>",
            "<|START_OF_TURN_TOKEN|>",
            "<|start|>",
            "<|channel|>",
            "<eoa>",
        ),
    ],
)
def test_the_control_tokens_of_published_templates_are_known(token: str) -> None:
    [finding] = found([*good(30), said(f"u: 请看{token}，谢谢", "a: ho")])
    assert finding.check == "control-tokens"
    assert token in finding.message


@pytest.mark.parametrize(
    "text",
    [
        *("a < b and c > d", "x |> f <| y", "[1, 2]", "if (a<b) return;", "List<String>", "AT&T", "R&D;", "3 <4>"),
        *("```html\n<p>hi</p>\n```", "use `<br>` here", "# Instruction: x", "<ｂ>", "《书》", "<< SYS >>", "&c;"),
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found([*good(30), said(f"u: {text}?", f"a: {text}")]) == []


def test_many_empty_answers_stop_training_where_they_are_learned() -> None:
    empty = [said(f"u: hi {row}", "a:") for row in range(5)]
    assert [finding.severity for finding in found([*good(30), *empty])] == ["error"]
    [finding] = found(good(30), validation=empty)
    assert (finding.severity, finding.split, finding.rows) == ("warning", "validation", (0, 1, 2, 3, 4))
    [finding] = found([*good(90), *empty[:4]])
    assert finding.severity == "warning"
    assert finding.message.startswith("4 rows in train (4.3 %) have an empty answer")


def test_tools_are_called_by_their_identity() -> None:
    def row(called: str | None, answered: str | None) -> dict[str, Any]:
        call = {"role": "assistant", "tool_calls": [{"id": called, "name": "f", "arguments": {}}]}
        tool = {"role": "tool", "content": "3", "tool_call_id": answered}
        return {"messages": [{"role": "user", "content": "x"}, call, tool, {"role": "assistant", "content": "y"}]}

    for called, answered in (("a", "a"), (None, "a"), ("a", None)):
        assert found([*good(30), row(called, answered)]) == []
    [finding] = found([*good(30), row("a", "b")])
    assert (finding.check, finding.rows) == ("role-order", (30,))


def test_the_same_question_may_have_several_answers() -> None:
    rows = [*good(50), said("u: How  much is 3 + 1? 🤔", "a: Four."), good(5)[4]]
    first, second = found(rows)
    assert (first.check, first.rows) == ("exact-duplicates", (51,))
    assert (second.check, second.severity, second.rows) == ("label-conflicts", "info", (3, 50))
    assert "1 text in train has different answers" in second.message


def test_rows_with_the_same_question_stay_in_one_split() -> None:
    rows = [said(f"u: question {row // 2}", f"a: answer {row}") for row in range(100)]
    splits = split_table(Table.from_rows(rows), LISTS, seed=3)
    assert [len(table) for table in splits.values()] == [80, 10, 10]
    where = {int(row) // 2: name for name, table in splits.items() for row in table.row_ids}
    for name, table in splits.items():
        assert all(where[int(row) // 2] == name for row in table.row_ids)
    leak = run_checks(CheckInput({"train": Table.from_rows(rows), "test": Table.from_rows(rows[:2])}, LISTS, True))
    assert any(finding.check == "leakage" and finding.severity == "error" for finding in leak)


# ---------------------------------------------------------------- contamination

ENGLISH = "The quick brown fox jumps over the lazy dog and sleeps for an hour in the warm sun of the early afternoon."
CHINESE = "那只敏捷的棕色狐狸跳过了懒狗，然后在初夏午后温暖的阳光里睡了一个小时，醒来以后又跑回森林去了。"


@pytest.mark.parametrize("answer", [ENGLISH, CHINESE])
def test_held_out_answers_that_training_rows_hold_are_found(answer: str) -> None:
    near = answer.replace("early afternoon", "late afternoon").replace("森林", "山林")
    held = [
        said("u: 1", f"a: {answer}"),
        said("u: 2", f"a: {near}"),
        said("u: 3", "a: Nothing of the kind. 没有这回事。"),
    ]
    held += [
        said(f"u: {row + 100}", f"a: {row} is quite another answer than all the others there are.") for row in range(40)
    ]
    for learned in (said("u: x", f"a: {answer}"), said(f"u: Read this: {answer} Well?", "a: Yes.")):
        train = Table.from_rows([*good(50), learned])
        known = contaminated_rows({"train": train, "validation": Table.from_rows(held)}, LISTS)["validation"]
        assert known.rows.tolist() == [0, 1]
        assert known.exact == (1 if learned["messages"][0]["content"] == "x" else 0)
    [finding] = found([*good(50), said("u: x", f"a: {answer}")], validation=held)
    assert (finding.check, finding.severity, finding.rows) == ("contamination", "warning", (0, 1))
    assert (
        "2 answers in validation (4.7 %) are known from training rows: 1 word by word, 1 nearly so" in finding.message
    )
    assert found([*good(50), said("u: x", f"a: {answer}")], test=held[:3])[0].severity == "error"


def test_short_answers_and_what_the_question_holds_are_no_contamination() -> None:
    train = [said("u: x", f"a: {ENGLISH}"), said("u: y", "a: Yes, of course."), said("u: z", "a: 是的。")]
    held = [
        said("u: a", "a: Yes, of course."),
        said("u: b", "a: 是的。"),
        said(f"u: Say it again: {ENGLISH}", f"a: {ENGLISH}"),
        said("u: c", "a: Half is known: the quick brown fox jumps over a fence, and nobody has seen it again."),
        said("u: d"),
    ]
    splits = {"train": Table.from_rows(train), "test": Table.from_rows(held)}
    assert contaminated_rows(splits, LISTS)["test"].rows.tolist() == []
    assert contaminated_rows({"all": splits["train"]}, LISTS) == {}


WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "你", "好", "世", "界"]
words = st.lists(st.sampled_from(WORDS), max_size=40)


@settings(max_examples=40)
@given(st.lists(words, min_size=1, max_size=6), st.lists(words, min_size=1, max_size=4))
def test_near_answers_are_those_of_a_plain_count(learned: list[list[str]], held: list[list[str]]) -> None:
    def runs(tokens: list[str], size: int) -> set[tuple[str, ...]]:
        return {tuple(tokens[place : place + size]) for place in range(len(tokens) - size + 1)}

    def table(answers: list[list[str]], role: str) -> Table:
        return Table.from_rows([said("u: q", f"{role}: {' '.join(answer)}") for answer in answers])

    expected = []
    for row, answer in enumerate(held):
        size = 13 if any(not word.isascii() for word in answer) else 8
        own = runs(answer, size)
        known = set().union(*(runs(["q", *each], size) for each in learned))
        if own and len(own & known) / len(own) >= 0.7:
            expected.append(row)
    splits = {"train": table(learned, "a"), "test": table(held, "a")}
    assert contaminated_rows(splits, LISTS)["test"].rows.tolist() == expected


# ---------------------------------------------------------------- whatever is written

any_role = st.sampled_from(["user", "assistant", "system", "tool"])
any_said = st.text(max_size=12) | st.sampled_from(
    ["<p>", "<|im_end|>", "&#1;", "[INST]", "```", "\u200b", "好", "<think>x</think>"]
)
any_rows = st.lists(st.lists(st.tuples(any_role, any_said), max_size=5), min_size=1, max_size=8)


@settings(max_examples=60)
@given(any_rows, any_rows)
def test_the_gate_takes_any_conversation(train: list[Any], test: list[Any]) -> None:
    def table(rows: list[Any]) -> Table:
        return Table.from_rows(
            [{"messages": [{"role": role, "content": text} for role, text in turns]} for turns in rows]
        )

    splits = {"train": table(train), "test": table(test)}
    for finding in run_checks(CheckInput(splits, LISTS, given_splits=True)):
        assert set(finding.rows) <= set(range(len(splits[finding.split])))
        assert finding.message
        assert finding.fix


def test_texts_as_such_are_looked_at_for_marks_alone() -> None:
    rows = [{"text": f"Chapter {row}. 第{row}章 goes on."} for row in range(30)]
    table = Table.from_rows([*rows, {"text": "<|im_start|>user hi"}, rows[3]])
    columns = infer_columns(table, answers="generated")
    findings = run_checks(CheckInput({"all": table}, columns))
    assert [(finding.check, finding.rows) for finding in findings] == [
        ("exact-duplicates", (31,)),
        ("control-tokens", (30,)),
    ]
    assert np.all(table.row_ids == np.arange(32))
