"""``supertune inspect`` and ``supertune check`` of tasks that write, as processes of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tiny_decoders import face_rows
from warm_processes import Done, WarmProcesses

ANSI = re.compile(r"\x1b\[[0-9;]*m")
ODD: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": asked}, {"role": "assistant", **answer}]}
    for asked, answer in (
        *((row["messages"][0]["content"], row["messages"][1]) for row in face_rows("chat", 12)),
        ("<script>alert(1)</script> \x1b[31m <eos>", {"content": "</style>茶\nend"}),
        ("nobody answers", {"content": "unheard", "train": False}),
        ("rain", {"content": "dog " * 60, "weight": 0.5}),
        ("⟦tea⟧ ■", {"content": "⟪dog⟫"}),
    )
]


PLAIN = {"FORCE_COLOR": "", "NO_COLOR": "", "TERM": "xterm-256color", "COLORTERM": "truecolor"}


@dataclass(frozen=True)
class Place:
    """A folder with rows and a model, and what runs commands in it."""

    folder: Path
    processes: WarmProcesses

    def supertune(self, *arguments: str, code: int = 0, **surroundings: str) -> Done:
        done = self.processes.run(*arguments, cwd=self.folder, environment={**PLAIN, **surroundings})
        assert done.code == code, done.said
        assert "Traceback" not in done.said
        return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_decoder: Path) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("inspect")
    (folder / "tiny").symlink_to(tiny_decoder)
    (folder / "warm").mkdir()
    for name, rows in (("odd", ODD), ("chat", face_rows("chat", 12))):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with WarmProcesses(folder / "warm") as processes:
        yield Place(folder, processes)


LOOK = ("inspect", "odd.jsonl", "--task", "chat", "--model", "tiny", "--rows", "15", "--set", "model.max_length=64")


def test_without_colours_marks_show_what_is_learned(place: Place) -> None:
    shown = place.supertune(*LOOK).printed
    assert "\x1b" not in shown
    assert "an answer ends with <eos>" in shown
    assert "### Assistant:⏎\n⟦好坏■<eos>⟧⏎\n" in shown
    assert "<script>alert(1)</script> ␛[31m <eos>⏎\n" in shown
    assert "⟦</style>茶⏎\nend■<eos>⟧" in shown
    assert re.search(r"⟦×0\.5 dog .*⟧⟪", shown)
    assert "row 13: " in shown
    assert "cannot be learned: no message of it is to be learned: it has no answer" in shown
    assert "→ take such rows out, or say train: true of a message" in shown
    assert re.search(r"15 rows, 14 of them learned: \d+ of \d+ tokens carry loss", shown)
    assert "training is refused because of row 13" in shown


def test_marks_in_the_text_itself_are_told_from_those_around_it(place: Place) -> None:
    shown = place.supertune(*LOOK, "--rows", "16").printed
    assert "\\⟦tea\\⟧ \\■⏎\n" in shown
    assert "⟦\\⟪dog\\⟫■<eos>⟧" in shown
    assert "\\⟦ \\⟧ \\■ are of the text itself" in shown
    assert "of the text itself" not in place.supertune(*LOOK).printed
    coloured = ANSI.sub("", place.supertune(*LOOK, "--rows", "16", FORCE_COLOR="1").printed)
    assert "⟦tea⟧ ■⏎\n" in coloured


def test_in_colour_the_text_is_the_same_without_marks(place: Place) -> None:
    shown = place.supertune(*LOOK, FORCE_COLOR="1").printed
    assert "\x1b[30;48;2;159;227;171m" in shown
    assert not set("⟦⟧⟪⟫■") & set(shown)
    assert "### Assistant:⏎\n好坏<eos>⏎\n" in ANSI.sub("", shown)
    assert "\x1b" not in ANSI.sub("", shown)
    assert place.supertune(*LOOK, FORCE_COLOR="1", NO_COLOR="1").printed.count("⟦") > 10


def test_the_page_is_written_once(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "rows.html"
    done = place.supertune(*LOOK, "--html", str(out))
    page = out.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "&lt;script&gt;" in re.sub("<[^>]*>", "", page)
    assert done.printed == ""
    assert str(out) in done.said
    again = place.supertune(*LOOK, "--html", str(out), code=2)
    assert "exists already" in again.said
    assert out.read_text(encoding="utf-8") == page


def test_a_chinese_page_says_in_chinese_what_was_found(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "rows.html"
    place.supertune(*LOOK, "--set", "evaluate.language=zh", "--html", str(out))
    page = out.read_text(encoding="utf-8")
    for said in ("消息列表；user, assistant", "模型没有对话模板", "回答以 &lt;eos&gt; 结束", "行丢了一部分回答"):
        assert said in page
    assert "an answer ends with" not in page


def test_json_is_one_object_with_the_page_beside_it(place: Place, tmp_path: Path) -> None:
    done = place.supertune(*LOOK, "--json", "--html", str(tmp_path / "rows.html"))
    shown = json.loads(done.printed)
    assert [row["row"] for row in shown["rows"]] == list(range(15))
    assert [row["problem"] is None for row in shown["rows"]] == [row != 13 for row in range(15)]
    assert [row["truncated"] for row in shown["rows"]][12:] == [False, False, True]
    assert {piece["weight"] for piece in shown["rows"][14]["pieces"]} == {0.0, 0.5}
    assert (tmp_path / "rows.html").exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--set", "task.template=nope"), "there is no chat template 'nope'"),
        (("--set", 'task.template="{{ broken"'), "is no Jinja"),
        (("--model", "nowhere"), "nowhere"),
        (("--set", "model.max_length=100000"), "more than tiny can take (512)"),
        (("--text", "nope"), "no column 'nope'"),
        (("--rows", "0"), ""),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(place: Place, typed: tuple[str, ...], said: str) -> None:
    done = place.supertune("inspect", "chat.jsonl", "--task", "chat", "--model", "tiny", *typed, code=2)
    assert said in done.said
    assert done.printed == ""


def test_check_tells_what_training_would_refuse(place: Place) -> None:
    check = ("check", "odd.jsonl", "--task", "chat", "--model", "tiny", "--json")
    found = json.loads(place.supertune(*check, "--set", "model.max_length=64", code=3).printed)["findings"]
    by_name = {finding["check"]: finding for finding in found}
    assert by_name["unlearnable"]["rows"] == [13]
    assert by_name["unlearnable"]["severity"] == "warning"
    assert by_name["cut-answers"]["rows"] == [14]
    assert by_name["cut-answers"]["severity"] == "error"
    assert "task.too_long=drop" in by_name["cut-answers"]["fix"]
    dropped = json.loads(
        place.supertune(*check, "--set", "model.max_length=64", "--set", "task.too_long=drop", code=3).printed
    )["findings"]
    assert {finding["check"]: finding["rows"] for finding in dropped}["left-out"] == [14]
    clean = place.supertune("check", "chat.jsonl", "--task", "chat", "--model", "tiny", "--json")
    assert json.loads(clean.printed)["findings"] == []
    assert "an answer ends with <eos>" in clean.said
