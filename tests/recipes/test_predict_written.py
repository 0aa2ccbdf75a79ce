"""What a model writes to new rows: the same as plain transformers, whoever asks and in whatever batches."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import supertune
from supertune.cli.answers import give
from supertune.console import Console
from supertune.contracts import Columns
from supertune.errors import InterruptedRunError, UserError
from supertune.recipes.predict import evaluate_file, predict_typed
from supertune.recipes.writing_choices import WritingChoices, check_choices
from supertune.tasks import ClassificationTask
from tiny_decoders import TINY, face_rows
from warm_processes import Done, supertune_command

Writers = Callable[[str], Path]
QUIET = Console(quiet=True)
STRICT = """{%- for message in messages %}{%- if message.role == 'system' %}{{- raise_exception('no system') }}
{%- endif %}{{- bos_token if loop.first }}{{- message.content + eos_token }}{%- endfor %}"""


def learned(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.parent / "learned.jsonl").read_text(encoding="utf-8").splitlines()]


def command(*arguments: object, code: int = 0, stdin: str | None = None) -> Done:
    # A pipe with nothing in it, if nothing is given: a terminal would be somebody who types.
    done = supertune_command(*arguments, stdin=stdin or "")
    assert done.code == code, done.said
    assert "Traceback" not in done.said
    return done


def by_transformers(folder: Path, messages: list[dict[str, str]], **options: Any) -> str:
    """The likeliest text after these messages, by nothing but transformers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    batch = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    with torch.no_grad():
        ids = model.generate(**batch, do_sample=False, **{"max_new_tokens": 16, **options})
    return str(tokenizer.decode(ids[0, batch["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


def test_what_was_learned_is_written_in_order_with_or_without_its_answers(chat_writer: Path) -> None:
    run, rows = supertune.load_run(chat_writer), learned(chat_writer)
    answers = [row["messages"][-1]["content"] for row in rows]
    found = run.predict(rows)
    assert [row["prediction"] for row in found] == answers
    assert {row["ended"] for row in found} == {"stop"}
    assert [row["row"] for row in found] == list(range(len(rows)))
    assert [row["messages"] for row in found] == [row["messages"] for row in rows]
    unanswered = [{"messages": row["messages"][:1]} for row in rows]
    assert [row["prediction"] for row in run.predict(unanswered)] == answers


def test_it_is_what_plain_transformers_writes_alone_and_beside_others(chat_writer: Path) -> None:
    run = supertune.load_run(chat_writer)
    texts = ["bad cat", "tea", "rain rain film late dog", "好 坏", "My parcel is late\nand bad"]
    together = [row["prediction"] for row in run.predict(texts)]
    assert [run.predict([text])[0]["prediction"] for text in texts] == together
    alone = [by_transformers(chat_writer / "model", [{"role": "user", "content": text}]) for text in texts]
    assert alone == together
    told = run.predict(["bad cat"], system="be kind", max_new_tokens=2)[0]["prediction"]
    asked = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "bad cat"}]
    assert told == by_transformers(chat_writer / "model", asked, max_new_tokens=2)


def test_typed_texts_stand_where_the_rows_had_them(brief_writers: Writers) -> None:
    (found,) = predict_typed(brief_writers("generative-qa"), ["good film?", "good film: 好电影."])
    row = {"context": "good film: 好电影.", "question": "good film?"}
    assert {name: found[name] for name in row} == row
    run = supertune.load_run(brief_writers("generative-qa"))
    assert run.predict([row])[0]["prediction"] == found["prediction"]
    assert run.predict([("good film?", "good film: 好电影.")])[0]["prediction"] == found["prediction"]
    with pytest.raises(UserError, match=r'2 texts at a time, and 1 were given[^"]*"question" "context"'):
        predict_typed(run.path, ["good film?"])
    with pytest.raises(UserError, match="asked with 'question', 'context'"):
        run.predict(["good film?"])
    (found,) = predict_typed(brief_writers("translation"), ["good film"])
    assert found["en"] == "good film"
    asked = [{"role": "user", "content": "Translate the following text into Chinese.\n\ngood film"}]
    run = supertune.load_run(brief_writers("translation"))
    assert run.chat("good film", max_new_tokens=4) == run.chat(asked, max_new_tokens=4)


def test_plain_texts_are_gone_on_with(brief_writers: Writers) -> None:
    from transformers import AutoTokenizer

    run = supertune.load_run(brief_writers("text"))
    model, tokenizer = run.model()
    ids = AutoTokenizer.from_pretrained(run.path / "model")("good film", return_tensors="pt")
    written = model.generate(**ids, max_new_tokens=8, do_sample=False)[0, ids["input_ids"].shape[1] :]
    expected = tokenizer.decode(written, skip_special_tokens=True).rstrip("\N{REPLACEMENT CHARACTER}")
    assert run.predict(["good film"], max_new_tokens=8)[0]["prediction"] == expected
    assert run.chat("good film", max_new_tokens=8) == expected
    with pytest.raises(UserError, match="nobody is told anything"):
        run.predict(["good film"], system="be kind")


def test_of_alpaca_rows_the_input_may_be_missing(tiny_decoder: Path, tmp_path: Path) -> None:
    rows = [{"instruction": f"say {word}", "input": "", "output": word} for word in ("tea", "film", "cat", "dog") * 5]
    rows[0]["input"] = "now"
    settings = {**TINY, "train.epochs": 1, "evaluate.generate": 0, "evaluate.baselines": False}
    run = supertune.fit(
        rows, task="chat", model=str(tiny_decoder), out=tmp_path / "run", settings=settings, allow=["leakage"]
    )
    (typed,) = run.predict(["say tea"])
    (row,) = run.predict([{"instruction": "say tea"}])
    assert "input" not in row
    assert row["prediction"] == typed["prediction"] == run.chat("say tea")
    with pytest.raises(UserError, match="no column 'instruction'"):
        run.predict([{"input": "say tea"}])


@pytest.mark.slow
def test_rows_that_cannot_be_asked_are_told_by_their_numbers_before_anything_is_written(
    chat_writer: Path, tmp_path: Path
) -> None:
    shutil.copytree(chat_writer, tmp_path / "run")
    (tmp_path / "run/model/chat_template.jinja").write_text(STRICT, encoding="utf-8")
    said = {"role": "user", "content": "bad cat"}
    rows = [[said], [{"role": "system", "content": "be kind"}, said], [said], [{"role": "assistant", "content": "x"}]]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps({"messages": row}) for row in rows), encoding="utf-8")
    done = command("predict", tmp_path / "run", "--file", file, "--out", tmp_path / "out.jsonl", code=2)
    assert "2 rows cannot be asked" in done.said
    assert "row 1: the chat template refuses it: no system" in done.said
    assert "row 3: it holds nothing that could be answered" in done.said
    assert not (tmp_path / "out.jsonl").exists()
    done = command("predict", tmp_path / "run", "--file", file, "--on-bad-row", "skip")
    assert [json.loads(line)["row"] for line in done.printed.splitlines()] == [0, 2]
    assert "2 of 4 rows cannot be asked and are left out" in done.said
    file.write_text('{"messages": "none"}\n', encoding="utf-8")
    assert "row 0 has 'none'" in command("predict", chat_writer, "--file", file, code=2).said


def test_a_prompt_that_leaves_no_room_is_cut_and_that_is_told(
    chat_writer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = supertune.load_run(chat_writer)
    (found,) = run.predict([{"messages": [{"role": "user", "content": "bad cat " * 400}]}], max_new_tokens=4)
    assert found["cut_tokens"] > 0
    assert "1 row (0) is longer than the model's window" in " ".join(capsys.readouterr().err.split())


def test_choices_are_refused_where_they_mean_nothing(chat_writer: Path) -> None:
    with pytest.raises(UserError, match="classification and writes nothing"):
        check_choices(ClassificationTask(Columns(("text",), ("label",))), WritingChoices(temperature=0.0))
    run = supertune.load_run(chat_writer)
    for options, told in (
        ({"temperature": -1.0}, "-1.0 means nothing"),
        ({"top_p": 0.5}, "nothing is drawn"),
        ({"max_new_tokens": 0}, "at least 1"),
        ({"max_new_tokens": 600}, "leave no room"),
        ({"beams": 2, "temperature": 1.0}, "beams are not drawn"),
    ):
        with pytest.raises(UserError, match=told):
            run.predict(["bad cat"], **options)


def test_the_same_seed_draws_the_same_texts(chat_writer: Path) -> None:
    texts = ["bad cat", "good film", "tea day"] * 4
    drawn = [
        [row["prediction"] for row in supertune.load_run(chat_writer).predict(texts, temperature=3.0, seed=seed)]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_lines_are_answered_as_they_come(chat_writer: Path) -> None:
    line = [sys.executable, "-m", "supertune", "predict", str(chat_writer)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        asked = learned(chat_writer)[:2]
        for number, row in enumerate(asked):
            process.stdin.write(row["messages"][0]["content"] + "\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
            assert (found["row"], found["prediction"]) == (number, row["messages"][1]["content"])
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0


def test_of_an_interrupted_file_what_is_done_is_kept_under_another_name(tmp_path: Path) -> None:
    def rows(count: int) -> Iterator[dict[str, object]]:
        yield from ({"row": number} for number in range(count))
        raise KeyboardInterrupt

    options: dict[str, Any] = {"out": tmp_path / "a.jsonl", "json": False, "for_people": False, "console": QUIET}
    with pytest.raises(InterruptedRunError, match=r"the first 2 predictions are in .*a\.jsonl\.partial"):
        give(rows(2), {}, **options)
    assert (tmp_path / "a.jsonl.partial").read_text(encoding="utf-8").count("\n") == 2
    (tmp_path / "a.jsonl.partial").unlink()
    with pytest.raises(KeyboardInterrupt):
        give(rows(0), {}, **options)
    assert not [*tmp_path.iterdir()]


def test_evaluating_the_rows_of_the_run_gives_its_scores_again(chat_writer: Path, tmp_path: Path) -> None:
    run = supertune.load_run(chat_writer)
    stored = [json.loads(line) for line in (chat_writer / "predictions/test.jsonl").read_text().splitlines()]
    rows = [{"messages": row["messages"]} for row in stored]
    file, out = tmp_path / "test.jsonl", tmp_path / "out.jsonl"
    file.write_text("\n".join(map(json.dumps, [*rows, {"messages": rows[0]["messages"][:1]}])), encoding="utf-8")
    done = command("evaluate", chat_writer, file, "--out", out, "--json")
    found = json.loads(done.printed)
    assert found["status"] == "done"
    assert (found["answered"], found["written"]) == (4, 3)
    assert "answers are written to 3 rows of 4" in done.said
    test = {name: score.value for name, score in run.metrics["test"].items()}
    assert {name: score["value"] for name, score in found["metrics"]["test"].items()} == pytest.approx(test)
    told = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["prediction"] for row in told] == [*(row["prediction"] for row in stored), None]
    everything = run.evaluate(rows, generate="all")
    assert everything["metrics"]["test"]["chrf"]["n"] == 4
    assert "chrf" not in run.evaluate(rows, generate=0)["metrics"]["test"]


def test_evaluating_without_answers_or_of_what_writes_nothing_is_refused(chat_writer: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no row has an answer"):
        evaluate_file(chat_writer, [{"messages": [{"role": "user", "content": "a"}]}], out=None, console=QUIET)
    assert "no number of rows" in command("evaluate", chat_writer, "x", "--generate", "some", code=2).said


def test_rows_that_are_no_conversations_can_be_left_out_of_what_is_scored(chat_writer: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [json.dumps(row, ensure_ascii=False) for row in face_rows("chat", 6)]
    odd = '{"messages": [{"role": "visitor", "content": "tea"}, {"role": "assistant", "content": "茶"}]}'
    file.write_text("\n".join([*rows[:3], odd, *rows[3:]]), encoding="utf-8")
    run = ("evaluate", chat_writer, file, "--generate", "2")
    assert "row 3 has the role 'visitor'" in command(*run, code=2).said
    done = command(*run, "--on-bad-row", "skip", "--json")
    assert json.loads(done.printed)["answered"] == 6
    assert "1 of 7 rows are no conversations and are left out" in done.said
