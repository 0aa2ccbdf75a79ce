"""What is shown of rows to be written: the text itself, and exactly what training learns of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import supertune
from chat_templates import KNOWN, chat_tokenizer
from supertune.config import Config
from supertune.console import Console
from supertune.contracts import InspectedRow
from supertune.errors import UserError
from supertune.models import load_tokenizer, resolve
from supertune.recipes.inspect import Inspection, inspect
from supertune.recipes.rows import find_columns, read_given
from supertune.tasks import TASKS, GenerationTask
from tiny_decoders import face_rows

FACES = ("chat", "summarization", "translation", "generative-qa", "text")
TALKS: list[list[dict[str, Any]]] = [
    [
        {"role": "user", "content": "Where is my\nparcel?"},
        {"role": "assistant", "content": "It comes on Monday.\n\n  Bye"},
        {"role": "user", "content": "谢谢！"},
        {"role": "assistant", "content": "不客气，👩‍👩‍👧 再见 😀。"},
    ],
    [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "您好！"}],
    [{"role": "user", "content": "😀👍🏽"}, {"role": "assistant", "content": "👍🏽"}],
]


def rows_of(talks: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"messages": talk} for talk in talks]


def looked(data: object, model: Path, *, task: str = "chat", rows: int = 10, **settings: object) -> Inspection:
    values = {"task.name": task, "model.name": str(model), **settings}
    return inspect(Config().with_values(values), data, rows=rows, console=Console(quiet=True))


def runs(row: InspectedRow) -> list[str]:
    """What is learned of a row, piece by piece until one is not."""
    found = itertools.groupby(row.seen, key=lambda piece: piece.learned)
    return ["".join(piece.text for piece in pieces) for learned, pieces in found if learned]


def text(row: InspectedRow) -> str:
    return "".join(piece.text for piece in row.pieces)


@pytest.fixture(scope="module")
def known_models(tmp_path_factory: pytest.TempPathFactory, tiny_decoder: Path) -> dict[str, Path]:
    """Folders of a model with the tokenizers of well-known ones; their weights are never opened."""
    found = {}
    for name, known in KNOWN.items():
        folder = tmp_path_factory.mktemp("known") / name
        folder.mkdir()
        for file in ("config.json", "model.safetensors"):
            (folder / file).symlink_to(tiny_decoder / file)
        chat_tokenizer(known).save_pretrained(folder)
        found[name] = folder
    return found


@pytest.mark.parametrize("face", FACES)
def test_the_answers_of_every_face_and_what_ends_them_are_learned(face: str, tiny_decoder: Path) -> None:
    rows = face_rows(face, 6)
    found = looked(rows, tiny_decoder, task=face)
    assert [row.row for row in found.rows] == [0, 1, 2, 3, 4, 5]
    for given, row in zip(rows, found.rows, strict=True):
        answer = given["messages"][-1]["content"] if face == "chat" else list(given.values())[-1]
        assert runs(row) == [f"{answer}<eos>"]
        assert [piece.text for piece in row.seen if piece.stop] == ["<eos>"]
        assert row.problem is None
        if face == "text":
            assert text(row) == f"<bos>{answer}<eos>"
        else:
            assert text(row).endswith(f"\n\n### Assistant:\n{answer}<eos>\n\n")
    assert "an answer ends with <eos>" in found.announcements


@pytest.mark.parametrize("name", KNOWN)
def test_the_answers_of_known_templates_are_learned(name: str, known_models: dict[str, Path]) -> None:
    known = KNOWN[name]
    found = looked(rows_of(TALKS), known_models[name], **{"task.rewritten": "each"})
    by_row = itertools.groupby(found.rows, key=lambda row: row.row)
    for talk, (_, texts) in zip(TALKS, by_row, strict=True):
        answers = [message["content"] for message in talk if message["role"] == "assistant"]
        learned = [run for row in texts for run in runs(row)]
        assert learned == [f"{known.before}{answer}{known.stop}" for answer in answers]
    assert all(row.problem is None and not row.cut for row in found.rows)


def test_calls_of_functions_are_learned_and_their_answers_are_not(known_models: dict[str, Path]) -> None:
    call = {"type": "function", "function": {"name": "天气", "arguments": {"city": "York"}}}
    talk = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "rain", "name": "天气"},
        {"role": "assistant", "content": "下雨"},
    ]
    tools = [{"type": "function", "function": {"name": "天气", "parameters": {"type": "object", "properties": {}}}}]
    rows = [{"messages": talk, "tools": json.dumps(tools)}]
    (row,) = looked(rows, known_models["qwen"]).rows
    called, answered = runs(row)
    assert called.startswith("<tool_call>")
    assert '"York"' in called
    assert called.endswith("</tool_call><|im_end|>")
    assert answered == "下雨<|im_end|>"


SETTINGS: list[dict[str, object]] = [
    {},
    {"model.max_length": 24},
    {"model.max_length": 24, "task.too_long": "drop"},
    {"task.learn": "all"},
    {"task.learn": "last"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("template", ["headings", "chatml"])
def test_the_same_tokens_carry_loss_as_in_training(
    template: str, settings: dict[str, object], tiny_decoder: Path, known_models: dict[str, Path]
) -> None:
    model = tiny_decoder if template == "headings" else known_models[template]
    weighed = [{**message, "weight": 0.5} if message["role"] == "assistant" else message for message in TALKS[1]]
    spelled = [{"role": "user", "content": "say <eos> and <|im_end|>"}, {"role": "assistant", "content": "<eos> 好"}]
    data = rows_of([*TALKS, weighed, spelled, [{"role": "user", "content": "nobody"}]])
    config = Config().with_values({"task.name": "chat", "model.name": str(model), **settings})
    found = inspect(config, data, rows=10, console=Console(quiet=True))
    tables = read_given(config, data, Console(quiet=True))
    columns = find_columns(config, tables, Console(quiet=True))
    task = TASKS["chat"].built(columns, config.task.model_dump())
    assert isinstance(task, GenerationTask)
    tokenizer = load_tokenizer(resolve(str(model)), max_length=found.max_length)
    features = task.encode(tables["all"], tokenizer, found.max_length)
    learned = [row for row in found.rows if row.problem is None]
    assert [row.row for row in learned] == features.rows.tolist()
    for item, row in enumerate(learned):
        part = slice(features.offsets[item], features.offsets[item + 1])
        assert [one for piece in row.seen for one in piece.ids] == features.tokens["input_ids"][part].tolist()
        weights = [one for piece in row.seen for one in piece.weights]
        np.testing.assert_array_equal(weights, features.tokens["weights"][part])
        assert row.cut == features.full_lengths[item] - (features.offsets[item + 1] - features.offsets[item])
    totals = found.as_dict()
    assert totals["tokens"] == int(features.offsets[-1])
    assert totals["learned"] == int((features.tokens["weights"] != 0).sum())


def test_what_is_cut_is_told_and_the_text_stays_whole(tiny_decoder: Path) -> None:
    whole = looked(rows_of(TALKS), tiny_decoder)
    for most in (8, 23, 37, 38, 60):
        cut = looked(rows_of(TALKS), tiny_decoder, **{"model.max_length": most})
        for short, full in zip(cut.rows, whole.rows, strict=True):
            assert text(short) == text(full)
            assert short.cut == max(0, full.tokens - most)
            assert short.tokens == min(full.tokens, most)
    long = looked(rows_of([[{"role": "user", "content": "a"}, {"role": "assistant", "content": "long " * 90}]]),
                  tiny_decoder, **{"model.max_length": 40})  # fmt: skip
    (row,) = long.rows
    assert row.notes[0].startswith(f"{row.cut} cut off, ")
    assert "training is refused when more than 0.1% of its rows lose part of their answer" in long.remarks


def test_rows_that_are_left_out_for_their_length_are_shown_with_the_way_round(tiny_decoder: Path) -> None:
    asked = rows_of([[{"role": "user", "content": "long " * 90}, {"role": "assistant", "content": "short"}]])
    (row,) = looked(asked, tiny_decoder, **{"model.max_length": 40}).rows
    assert row.problem is not None
    assert (row.problem.kind, row.learned) == ("nothing-to-learn", 0)
    assert row.problem.fix == f"raise model.max_length to {40 + row.cut}"
    dropped = looked(asked, tiny_decoder, **{"model.max_length": 40, "task.too_long": "drop"})
    assert dropped.rows[0].seen == ()
    assert dropped.rows[0].problem is not None
    assert dropped.rows[0].problem.kind == "too-long"
    assert any("1 row (0) left out: longer than 40 tokens" in remark for remark in dropped.remarks)
    refused = looked(asked, tiny_decoder, **{"model.max_length": 40, "task.too_long": "error"})
    assert "training is refused because of row 0" in refused.remarks


def test_rows_with_a_problem_are_shown_with_it(tiny_decoder: Path) -> None:
    data = rows_of(
        [
            TALKS[0],
            [{"role": "wizard", "content": "hello"}],
            [{"role": "user", "content": "nobody answers"}],
            [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}],
            [{"role": "user", "content": "a\U00100001"}, {"role": "assistant", "content": "<eos>"}],
        ]
    )
    found = looked(data, tiny_decoder)
    kinds = [None if row.problem is None else row.problem.kind for row in found.rows]
    assert kinds == [None, "fault", "unanswered", "blank", "typed"]
    assert all(row.problem.fix for row in found.rows if row.problem)
    assert found.rows[1].problem is not None
    assert "--on-bad-row skip" in found.rows[1].problem.fix
    assert "wizard" in text(found.rows[1])
    assert text(found.rows[2]).endswith("nobody answers\n\n")
    assert "training is refused because of rows 1, 2, 4" in found.remarks
    assert "1 row (3) not learned from" in found.remarks
    skipped = looked(data, tiny_decoder, **{"data.on_bad_row": "skip"})
    assert [row.row for row in skipped.rows] == [0, 2, 3, 4]
    assert [row.row for row in looked(data, tiny_decoder, rows=2, **{"data.on_bad_row": "skip"}).rows] == [0, 2]


def test_a_row_without_an_answer_in_its_column_is_set_aside(tiny_decoder: Path) -> None:
    data = [{"en": "good", "zh": "好"}, {"en": "bad", "zh": None}, {"en": "tea", "zh": "茶"}]
    found = looked(data, tiny_decoder, task="translation")
    assert [row.problem and row.problem.kind for row in found.rows] == [None, "unlabelled", None]


def test_a_template_that_refuses_a_row_is_told(known_models: dict[str, Path]) -> None:
    odd = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    found = looked(rows_of([TALKS[1], odd]), known_models["gemma"])
    problem = found.rows[1].problem
    assert problem is not None
    assert problem.kind == "refused"
    assert "task.template=headings" in problem.fix
    assert text(found.rows[1]) == "user: a\nuser: b\nassistant: c\n"


def test_a_template_by_which_a_model_would_never_stop_is_told(tiny_decoder: Path) -> None:
    template = "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}"
    template += "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    found = looked(rows_of(TALKS), tiny_decoder, **{"task.template": template})
    assert any(remark.startswith("training is refused: no answer ends with") for remark in found.remarks)
    assert not any(piece.stop for row in found.rows for piece in row.pieces)


def test_a_control_token_that_was_typed_is_text(tiny_decoder: Path) -> None:
    talk = [{"role": "user", "content": "what is <eos>?"}, {"role": "assistant", "content": "<eos> ends a text"}]
    (row,) = looked(rows_of([talk]), tiny_decoder).rows
    assert runs(row) == ["<eos> ends a text<eos>"]
    assert [piece.text for piece in row.seen if piece.stop] == ["<eos>"]
    assert sum(2 in piece.ids for piece in row.seen) == 1
    assert "<eos> was typed, and stays text" in row.notes


def test_the_json_form_keeps_its_keys(tiny_decoder: Path) -> None:
    shown: Any = supertune.inspect(
        face_rows("translation"), task="translation", model=str(tiny_decoder), rows=2
    ).as_dict()
    json.dumps(shown, allow_nan=False)
    assert len(shown["rows"]) == 2
    for row in shown["rows"]:
        assert {"row", "pieces", "truncated", "problem"} <= set(row)
        assert all({"text", "loss", "weight", "ids"} <= set(piece) for piece in row["pieces"])
        assert not row["truncated"]
    assert "".join(piece["text"] for piece in shown["rows"][0]["pieces"] if piece["loss"]) == "好坏<eos>"


def test_what_cannot_be_used_is_refused(tiny_decoder: Path) -> None:
    with pytest.raises(UserError, match="no chat template 'nope'"):
        looked(face_rows("chat"), tiny_decoder, **{"task.template": "nope"})
    with pytest.raises(UserError, match="reads no variable 'enable_thinking'"):
        looked(face_rows("chat"), tiny_decoder, **{"task.template_options": {"enable_thinking": False}})
    with pytest.raises(UserError):
        looked([{"number": 3}, {"number": 4}], tiny_decoder)


def test_the_page_speaks_the_language_of_the_rows(tiny_decoder: Path) -> None:
    chinese = [
        {"instruction": "请写一首关于秋天的短诗。", "output": f"落叶知秋，风起云涌，山高水长。第{i}首。"}
        for i in range(4)
    ]
    assert '<html lang="zh">' in looked(chinese, tiny_decoder).html()
    assert '<html lang="en">' in looked(chinese, tiny_decoder, **{"evaluate.language": "en"}).html()
