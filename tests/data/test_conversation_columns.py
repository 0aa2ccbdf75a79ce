"""Conversations out of rows: every format is found, announced and read, and what is none is told."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from supertune.contracts import FORMATS, Columns, Generation, Layout
from supertune.conversation_rows import apart, columns_needed, conversations_of, references_of
from supertune.conversations import Conversation, Message, ToolCall
from supertune.data import Table, infer_columns, read, well_formed
from supertune.errors import UserError

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ASKED, ANSWER = "How is the weather in 北京? 🌦", "Sunny, 25 °C. 晴天 ☀️"
BEFORE = ("你好", "您好！有什么可以帮您？")
TURNS = [
    ("system", "Be brief."),
    ("user", BEFORE[0]),
    ("assistant", BEFORE[1]),
    ("user", ASKED),
    ("assistant", ANSWER),
]
OPENAI = [{"role": role, "content": text} for role, text in TURNS]
SAME = Conversation(tuple(Message(role, text) for role, text in TURNS), (TOOL,))  # type: ignore[arg-type]
SPELLED = {"system": "system", "user": "human", "assistant": "gpt"}


def columns_of(rows: Table | list[dict[str, Any]], **options: Any) -> Columns:
    table = rows if isinstance(rows, Table) else Table.from_rows(rows)
    wishes = {name: options.pop(name) for name in ("face", "prompt", "system", "roles") if name in options}
    return infer_columns(table, answers="generated", generation=Generation(**wishes), **options)


def conversations(rows: Table | list[dict[str, Any]], **options: Any) -> list[Conversation]:
    table = rows if isinstance(rows, Table) else Table.from_rows(rows)
    return list(conversations_of(table, columns_of(table, **options)))


def turns(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation.messages]


# ---------------------------------------------------------------- the same from every format

ROWS: dict[str, dict[str, Any]] = {
    "messages": {"messages": OPENAI, "tools": [TOOL]},
    "sharegpt": {
        "conversations": [{"from": SPELLED[role], "value": text} for role, text in TURNS[1:]],
        "system": "Be brief.",
        "tools": json.dumps([TOOL["function"]]),
    },
    "alpaca": {
        "instruction": ASKED,
        "input": "",
        "output": ANSWER,
        "system": "Be brief.",
        "history": [list(BEFORE)],
        "tools": [TOOL],
    },
    "prompt-completion": {
        "prompt": ASKED,
        "completion": ANSWER,
        "history": [list(BEFORE)],
        "system": "Be brief.",
        "tools": [TOOL],
    },
    "中文": {"问题": ASKED, "回答": ANSWER, "系统": "Be brief.", "历史": [list(BEFORE)], "工具": [TOOL]},
}


@pytest.mark.parametrize("kind", ROWS)
def test_the_same_conversation_comes_out_of_every_format(kind: str) -> None:
    columns = columns_of([ROWS[kind]])
    assert columns.layout is not None
    assert columns.layout.format == ("prompt-completion" if kind == "中文" else kind)
    assert columns.answers == "generated"
    assert columns.announcements
    assert conversations([ROWS[kind]]) == [SAME]


def test_lists_of_messages_on_both_sides_are_joined_and_only_the_completion_is_learned() -> None:
    [found] = conversations([{"prompt": OPENAI[:-1], "completion": OPENAI[-1:], "tools": [TOOL]}])
    assert turns(found) == TURNS
    assert [message.train for message in found.messages] == [None, None, False, None, None]


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "parquet"])
def test_the_same_conversation_comes_out_of_every_file(kind: str, ending: str, storage: str, tmp_path: Path) -> None:
    other = json.loads(json.dumps(ROWS[kind]).replace("Sunny", "Rainy"))
    rows = [ROWS[kind], other] * 20
    path = tmp_path / f"rows.{ending}"
    if ending == "jsonl":
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    elif ending == "json":
        path.write_text(json.dumps(rows))
    elif ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            for row in rows:
                writer.writerow(
                    {
                        name: json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
                        for name, value in row.items()
                    }
                )
    found = conversations(read(path))
    assert found[::2] == [SAME] * 20
    assert [turns(each)[-1][1] for each in found[1::2]] == [ANSWER.replace("Sunny", "Rainy")] * 20


def test_parquet_gives_no_row_the_keys_of_another(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "北京"}}}
    other = {"id": "c2", "type": "function", "function": {"name": "now", "arguments": {"zone": "CET"}}}
    rows = [
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [each]}, {"role": "tool", "content": "3"}]}
        for each in (call, other)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    found = conversations(read(tmp_path / "rows.parquet"))
    assert found == conversations(rows)
    assert found[0].messages[0].tool_calls == (ToolCall("weather", {"city": "北京"}, "c1"),)


# ---------------------------------------------------------------- columns of tasks


@pytest.mark.parametrize(
    ("row", "face", "text", "label", "asked", "answer"),
    [
        (
            {"en": "Good morning.", "zh": "早上好。"},
            "translation",
            ("en",),
            ("zh",),
            "Translate the following text into Chinese.\n\nGood morning.",
            "早上好。",
        ),
        (
            {"zh-CN": "早上好。", "en_US": "Good morning."},
            "translation",
            ("zh-CN",),
            ("en_US",),
            "请把下面的文本翻译成英文。\n\n早上好。",
            "Good morning.",
        ),
        (
            {"translation": {"de": "Guten Morgen.", "fr": "Bonjour."}},
            "translation",
            ("translation",),
            (),
            "Translate the following text into French.\n\nGuten Morgen.",
            "Bonjour.",
        ),
        (
            {"source": "The weather is fine today.", "target": "今天天气很好。"},
            "translation",
            ("source",),
            ("target",),
            "Translate the following text into Chinese.\n\nThe weather is fine today.",
            "今天天气很好。",
        ),
        (
            {"原文": "今天天气很好。", "译文": "The weather is fine today, and we go out."},
            "chat",
            ("原文",),
            ("译文",),
            "请把下面的文本翻译成英文。\n\n今天天气很好。",
            "The weather is fine today, and we go out.",
        ),
        (
            {"id": 1, "dialogue": "A: hi\nB: ho", "summary": "They greet."},
            "summarization",
            ("dialogue",),
            ("summary",),
            "Summarize the following dialogue.\n\nA: hi\nB: ho",
            "They greet.",
        ),
        (
            {"article": "Long ago.", "highlights": ["One.", "Two."]},
            "chat",
            ("article",),
            ("highlights",),
            "Summarize the following text.\n\nLong ago.",
            "One.\nTwo.",
        ),
        (
            {"text": "Long ago.", "label": "One."},
            "summarization",
            ("text",),
            ("label",),
            "Summarize the following text.\n\nLong ago.",
            "One.",
        ),
        (
            {"文章": "很久以前。", "摘要": "从前。"},
            "summarization",
            ("文章",),
            ("摘要",),
            "请概括下面的文本。\n\n很久以前。",
            "从前。",
        ),
        (
            {"question": "Who?", "context": "Bob did.", "answers": {"text": ["Bob", "B."], "answer_start": [0, 0]}},
            "chat",
            ("context", "question"),
            ("answers",),
            "Answer the question by the following text.\n\nBob did.\n\nQuestion: Who?",
            "Bob",
        ),
        (
            {"问题": "谁？", "背景": "小明做的。", "答案": "小明"},
            "generative-qa",
            ("背景", "问题"),
            ("答案",),
            "请根据下面的文本回答问题。\n\n小明做的。\n\n问题：谁？",
            "小明",
        ),
        ({"question": "Who?", "answer": "Bob"}, "generative-qa", ("question",), ("answer",), "Who?", "Bob"),
        ({"question": "2 + 2?", "answer": 4}, "chat", ("question",), ("answer",), "2 + 2?", "4"),
        (
            {"instruction": "Add.", "context": "1 2", "response": "3"},
            "chat",
            ("instruction", "context"),
            ("response",),
            "Add.\n1 2",
            "3",
        ),
        (
            {"input": "Add 1 and 2.", "output": {"sum": 3}},
            "chat",
            ("input",),
            ("output",),
            "Add 1 and 2.",
            '{"sum": 3}',
        ),
    ],
)
def test_columns_of_tasks_are_found_and_asked_in_words(
    row: dict[str, Any], face: str, text: tuple[str, ...], label: tuple[str, ...], asked: str, answer: str
) -> None:
    columns = columns_of([row], face=face)
    assert (columns.text, columns.labels) == (text, label)
    [found] = conversations([row], face=face)
    assert turns(found) == [("user", asked), ("assistant", answer)]
    # What the run writes down finds the same again.
    assert columns.layout is not None
    again = columns_of(
        [row], face=face, text=list(columns.text), label=list(columns.labels), prompt=columns.layout.prompt
    )
    assert conversations([row], face=face) == list(conversations_of(Table.from_rows([row]), again))
    assert (again.text, again.labels) == (columns.text, columns.labels)


def test_numbers_of_rows_are_no_language() -> None:
    with pytest.raises(UserError, match="holds no conversations"):
        columns_of([{"id": "row a1", "en": "Good morning."}], face="translation")
    rows = [{"id": "row a1", "en": "Good morning.", "fr": "Bonjour.", "it": "Buongiorno."}]
    with pytest.raises(UserError, match="holds no conversations"):
        columns_of(rows, face="translation")
    [found] = conversations(rows, face="translation", text="fr", label="it")
    assert turns(found)[0] == ("user", "Translate the following text into Italian.\n\nBonjour.")


def test_conversations_depend_on_the_columns_they_are_made_of() -> None:
    for kind, names in (("messages", {"messages", "tools"}), ("alpaca", set(ROWS["alpaca"]))):
        columns = columns_of([{**ROWS[kind], "id": 3}])
        assert set(columns_needed(columns, [*ROWS[kind], "id"])) == names
    with pytest.raises(UserError, match="has no column 'messages'"):
        columns_needed(columns_of([ROWS["messages"]]), ["text"])


def test_questions_on_one_text_stay_in_one_split() -> None:
    row = {"question": "Who?", "context": "Bob did.", "answer": "Bob"}
    assert columns_of([row]).group == "context"
    titled = [{**row, "title": title} for title in ("A", "B")]
    assert columns_of(titled).group == "title"
    assert columns_of([{"question": "Who?", "answer": "Bob"}], face="generative-qa").group is None
    assert columns_of([ROWS["alpaca"]]).group is None


def test_the_direction_of_a_translation_can_be_turned() -> None:
    rows = [{"en": "Good morning.", "zh": "早上好。"}]
    for options in ({"text": "zh"}, {"label": "en"}, {"text": "zh", "label": "en"}):
        [found] = conversations(rows, face="translation", **options)
        assert turns(found) == [("user", "请把下面的文本翻译成英文。\n\n早上好。"), ("assistant", "Good morning.")]


def test_columns_and_prompts_can_be_named() -> None:
    rows = [{"a": "x y", "b": "z", "c": "w", "weight": 2}]
    [found] = conversations(rows, text=["a", "c"], label="b")
    assert turns(found) == [("user", "x y\nw"), ("assistant", "z")]
    assert [message.weight for message in found.messages] == [2, 2]
    [found] = conversations(rows, prompt="Say {c}, {a}: {{}}", label="b", system="Be {brief}.")
    assert turns(found) == [("system", "Be {brief}."), ("user", "Say w, x y: {}"), ("assistant", "z")]
    [found] = conversations([ROWS["alpaca"]], prompt="### {instruction}{input}", system="ignored")
    assert turns(found)[-2:] == [("user", f"### {ASKED}"), ("assistant", ANSWER)]
    assert turns(found)[0] == ("system", "Be brief.")
    [found] = conversations(rows, face="text", text=["a", "b"])
    assert found == Conversation((Message("assistant", "x y\nz", weight=2),), plain=True)
    assert columns_of(rows, text="a", need_label=False).labels == ()
    roles = [{"messages": [{"role": "visitor", "content": "hi"}, {"role": "host", "content": "ho"}]}]
    [found] = conversations(roles, roles={"visitor": "user", "host": "assistant"})
    assert turns(found) == [("user", "hi"), ("assistant", "ho")]


def test_several_answers_are_acceptable_and_the_first_is_learned() -> None:
    rows = [
        {"dialogue": "A: hi", "summary1": "One.", "summary2": "Two."},
        {"dialogue": "A: ho", "summary1": "Three.", "summary2": None},
    ]
    table, columns = Table.from_rows(rows), columns_of(rows, face="summarization")
    assert columns.labels == ("summary1", "summary2")
    assert list(references_of(table, columns)) == [("One.", "Two."), ("Three.",)]
    assert [turns(each)[-1][1] for each in conversations_of(table, columns)] == ["One.", "Three."]
    rows = [{"question": "Who?", "context": "Bob.", "answers": [{"text": "Bob", "answer_start": 0}, {"text": "B."}]}]
    assert list(references_of(Table.from_rows(rows), columns_of(rows))) == [("Bob", "B.")]
    assert list(references_of(Table.from_rows([ROWS["messages"]]), columns_of([ROWS["messages"]]))) == [(ANSWER,)]
    rows = [{"translation": {"en": "Hi.", "zh": "嗨。"}}]
    assert list(references_of(Table.from_rows(rows), columns_of(rows))) == [("嗨。",)]
    assert list(references_of(Table.from_rows([{"text": "x y"}]), columns_of([{"text": "x y"}]))) == [()]


def test_rows_without_an_answer_end_with_what_is_asked() -> None:
    rows = [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": None}, {"prompt": "d", "completion": ""}]
    table, columns = Table.from_rows(rows), columns_of(rows)
    found = [turns(each) for each in conversations_of(table, columns)]
    assert found == [[("user", "a"), ("assistant", "b")], [("user", "c")], [("user", "d"), ("assistant", "")]]
    assert list(references_of(table, columns)) == [("b",), (), ()]
    only = Table.from_rows([{"prompt": "e"}])
    assert [turns(each) for each in conversations_of(only, columns)] == [[("user", "e")]]
    assert list(references_of(only, columns)) == [()]
    asked, answer = apart(SAME)
    assert (turns(asked), answer) == (TURNS[:-1], SAME.messages[-1])
    assert apart(asked) == (asked, None)


def test_a_completion_that_begins_with_a_bracket_stays_as_it_is() -> None:
    for answer in ('["a", "b"]', "[INST] hi", '[{"x": 1}]', "[1, 2", r"[\d]"):
        [found] = conversations([{"prompt": answer, "completion": answer}])
        assert turns(found) == [("user", answer), ("assistant", answer)]


def test_weights_of_rows_and_messages_are_multiplied() -> None:
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0.5, "train": True}]
    [found] = conversations([{"messages": said, "weight": 4}])
    assert [(message.weight, message.train) for message in found.messages] == [(4.0, None), (2.0, True)]


def test_thoughts_come_from_a_column_or_from_the_answer() -> None:
    for row in (
        {"question": "a", "answer": "c", "reasoning": " b\n"},
        {"question": "a", "answer": "<think>b</think>\n\nc"},
    ):
        [found] = conversations([row])
        assert found.messages[1] == Message("assistant", "c", "b")


def test_what_was_found_is_announced() -> None:
    said = columns_of([ROWS["sharegpt"]]).announcements
    assert said[0] == "conversations: 'conversations' (ShareGPT's lists of messages; human, gpt)"
    assert said[1:] == (
        "system messages: 'system' (by its name)",
        "functions that may be called: 'tools' (by its name)",
    )
    said = columns_of([{"instruction": "a", "input": "b", "output": "c"}]).announcements
    assert said[0] == "alpaca, by their names: 'instruction' and 'input'; answer: 'output'"
    assert "{instruction}\\n{input}" in said[1]
    assert "without a chat template" in columns_of([{"text": "x y"}]).announcements[0]


def test_a_layout_comes_back_from_its_json() -> None:
    for format_ in FORMATS:
        layout = Layout(format_, {"answer": "输出"}, "{a}\n{b}", "Be brief.", {"visitor": "user"})
        assert Layout.from_state(json.loads(json.dumps(layout.state()))) == layout


# ---------------------------------------------------------------- what is told


@pytest.mark.parametrize(
    ("row", "options", "what", "fix"),
    [
        (
            {"a": "x", "b": "y"},
            {},
            "holds no conversations that are known: 'a' (text, e.g. 'x')",
            "--text prompt --label answer",
        ),
        ({"a": "x", "b": "y"}, {"text": "a"}, "no other column is called like answers: 'b'", "--label NAME"),
        ({"prompt": "x", "b": "y"}, {}, "holds no conversations", "--label"),
        ({"a": [1], "completion": "y"}, {"text": "a"}, "holds lists or objects, and no list of messages", "messages"),
        ({"prompt": "x", "completion": None}, {}, "holds no conversations", "--label"),
        (
            {"prompt": "x", "completion": True},
            {"label": "completion"},
            "holds true/false (e.g. True), not text",
            "lists of",
        ),
        ({"a": "x", "b": "y"}, {"prompt": "{A}", "label": "b"}, "has the field {A}", "did you mean {a}?"),
        (
            {"a": "x", "b": "y"},
            {"prompt": "{a}", "text": "b"},
            "column 'b' is named as text, and the prompt does not have it",
            "{b}",
        ),
        ({"a": "x", "b": "y"}, {"prompt": "hello", "label": "b"}, "has no {column}", "{a}"),
        ({"messages": OPENAI}, {"prompt": "{messages}"}, "has no use: the rows hold lists of messages", "task.prompt"),
        ({"messages": OPENAI, "chat2": OPENAI, "x": OPENAI}, {}, None, None),
        ({"m": OPENAI, "n": OPENAI}, {}, "2 columns hold lists of messages: 'm', 'n'", "--text NAME"),
        (
            {"text": "x y", "label": "b"},
            {"face": "text", "label": "label"},
            "text as such has no answers",
            "--task chat",
        ),
        ({"a": "x y", "b": "z"}, {"face": "text"}, "holds no conversations", "--text NAME"),
        (
            {"messages": OPENAI},
            {"roles": {"x": "boss"}},
            "says that 'x' speaks as 'boss'",
            "system, user, assistant, tool",
        ),
        ({"prompt": "x", "completion": "y"}, {"label": "completoin"}, "has no column 'completoin'", "'completion'"),
        ({"prompt": "x", "completion": "y"}, {"text": "prompt", "label": "prompt"}, "cannot be both", "two columns"),
    ],
)
def test_what_cannot_be_told_is_asked(
    row: dict[str, Any], options: dict[str, Any], what: str | None, fix: str | None
) -> None:
    if what is None:
        assert columns_of([row], **options).text == ("messages",)
        return
    with pytest.raises(UserError) as caught:
        columns_of([row], **options)
    assert what in caught.value.what
    assert fix is not None
    assert fix in (caught.value.fix or "")


BAD = [
    ([{"content": "x"}], "has no role in messages[0]"),
    ([{"role": "boss", "content": "x"}], "has the role 'boss' in messages[0], which is not known"),
    ([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": "[]"}]}], "which is no JSON object"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_bad_rows_are_refused_or_left_out_by_name(
    bad: list[Any], reason: str, write: Callable[[str, str], Path]
) -> None:
    lines = [json.dumps({"messages": OPENAI}), json.dumps({"messages": bad}), json.dumps({"messages": OPENAI})]
    table = read(write("chat.jsonl", "\n".join(lines * 3)))
    columns = columns_of(table)
    with pytest.raises(UserError) as caught:
        list(conversations_of(table, columns))
    assert caught.value.what.startswith("row 1 has ")
    assert reason in caught.value.what
    assert caught.value.where == "column 'messages'"
    assert "task.roles" in (caught.value.fix or "")
    with pytest.raises(UserError) as caught:
        well_formed(table, columns)
    assert caught.value.what.startswith("3 rows are no conversation\n    row 1 has ")
    assert reason in caught.value.what
    assert str(table.source) in str(caught.value.where)
    kept = well_formed(table, columns, "skip")
    assert kept.row_ids.tolist() == [0, 2, 3, 5, 6, 8]
    assert kept.lineage[-1].reason is not None
    assert "3 of 9 rows are no conversations" in kept.lineage[-1].reason
    assert len(list(conversations_of(kept, columns))) == 6


def test_a_table_of_bad_rows_alone_is_told() -> None:
    rows = [{"messages": [{"role": "user", "content": "x"}]}]
    columns = columns_of(rows)
    bad = Table.from_rows([{"messages": "hello"}])
    with pytest.raises(UserError, match="no row can be read"):
        well_formed(bad, columns, "skip")
    good = Table.from_rows(rows)
    assert well_formed(good, columns) is good


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"tools": "weather"}, "tools", "which is no list of functions"),
        ({"history": "[1]"}, "history", "no list of pairs"),
        ({"weight": -1}, "weight", "no number of at least 0"),
    ],
)
def test_what_is_wrong_beside_the_answer_names_its_column(row: dict[str, Any], column: str, reason: str) -> None:
    both = {"prompt": "a", "completion": "b", **row}
    columns = columns_of([both])
    with pytest.raises(UserError, match=reason) as caught:
        list(conversations_of(Table.from_rows([both]), columns))
    assert caught.value.where == f"column {column!r}"
    assert caught.value.fix


# ---------------------------------------------------------------- size


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("supertune.data.sources.spill.SPILL_BYTES", 300_000)
    peaks = []
    for count in (500, 2_000):
        path = tmp_path / f"{count}.jsonl"
        said = [{"role": role, "content": text * 30} for role, text in TURNS]
        path.write_text("\n".join(json.dumps({"messages": said, "n": row}) for row in range(count)))
        table = read(path)
        columns = columns_of(table)
        tracemalloc.start()
        assert sum(len(each.messages) for each in conversations_of(table, columns)) == 5 * count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] < 60_000_000
