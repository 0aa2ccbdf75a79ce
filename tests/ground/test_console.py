"""What the user sees: results on standard output, all else on standard error, plain where there is no terminal."""

from __future__ import annotations

import json
import re
import time

import pytest

from supertune.console import Console, print_json, show_findings
from supertune.contracts import Finding
from supertune.errors import GateError, MissingExtraError, UserError

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def everything(console: Console) -> None:
    console.say("said")
    console.heading("heading")
    console.warn("warned")
    console.table(("name", "n"), [("好", "1"), ("b", "20")], right=(1,))
    with console.progress("training", 10) as bar:
        bar(5, "half")


def test_messages_go_to_stderr_without_escape_codes(capsys: Capture) -> None:
    everything(Console())
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err
    assert "\r" not in err
    for part in ("said", "heading", "warning: warned", "好", "20"):
        assert part in err
    assert "training" not in err, "no bars where there is no terminal"


def test_what_takes_long_says_so_now_and_then_where_there_is_no_terminal(capsys: Capture) -> None:
    with Console(patience=0.05).progress("writing 200 answers", 200) as bar:
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < 0.5:
            bar(min(100 * passed, 199))
        bar(200)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 4
    assert all(re.fullmatch(r"  writing 200 answers: \d+% after 0\.0 minutes", line) for line in lines)
    for silent in (Console(quiet=True, patience=0.0), Console(results=True, patience=0.0), Console()):
        with silent.progress("writing", 2) as bar:
            bar(1)
    assert capsys.readouterr() == ("", "")


def test_results_go_to_stdout(capsys: Capture) -> None:
    everything(Console(results=True))
    out, err = capsys.readouterr()
    assert "said" in out
    assert err == ""


def test_quiet_says_only_warnings(capsys: Capture) -> None:
    everything(Console(quiet=True))
    assert capsys.readouterr() == ("", "warning: warned\n")


def test_brackets_and_words_between_colons_are_the_user_s_own(capsys: Capture) -> None:
    text = "[red]label[/red] :key: [/] [link=x]"
    console = Console()
    console.say(text)
    console.heading(text)
    console.warn(text)
    console.table((text,), [(text,)])
    assert capsys.readouterr().err.count(text) == 5


def test_control_characters_of_the_user_s_text_do_not_reach_the_terminal(capsys: Capture) -> None:
    console = Console()
    hostile = "\x1b]0;title\x07\x1b[2Jx\x9b1m\x00"
    for show in (console.say, console.heading, console.warn):
        show(hostile)
    console.table((hostile,), [(hostile,)])
    err = capsys.readouterr().err
    assert not set(err) & {"\x1b", "\x07", "\x9b", "\x00"}
    assert err.count("x") == 5


def test_long_lines_are_not_broken_in_a_pipe(capsys: Capture) -> None:
    Console().say("word " * 200)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_columns_line_up_with_full_width_characters(capsys: Capture) -> None:
    from supertune.language import display_width

    Console().table(("name", "n"), [("好的", "1"), ("abcd", "20"), ("b", "3")], right=(1,))
    rows = [line.rstrip() for line in capsys.readouterr().err.splitlines() if line.rstrip()[-1:].isdigit()]
    assert len({display_width(row) for row in rows}) == 1


def test_json_is_one_line_on_stdout(capsys: Capture) -> None:
    print_json({"label": "好\n", "value": 0.5})
    out, err = capsys.readouterr()
    assert (json.loads(out), out.count("\n"), err) == ({"label": "好\n", "value": 0.5}, 1, "")
    assert "好" in out


def test_findings_are_a_table(capsys: Capture) -> None:
    finding = Finding("leakage", "error", "3 of 60 test rows are in train", "remove them", "test", (1, 2, 3))
    show_findings(Console(), [finding])
    line = next(line for line in capsys.readouterr().err.splitlines() if "leakage" in line)
    assert line.split()[:4] == ["error", "leakage", "test", "3"]
    show_findings(Console(), [])
    assert "nothing found" in capsys.readouterr().err


def test_errors_say_what_where_and_what_to_do() -> None:
    assert str(UserError("is empty", where="a.csv", fix="fill it")) == "a.csv: is empty\n  → fill it"
    assert str(UserError("is empty")) == "is empty"
    assert "pip install 'supertune[excel]'" in str(MissingExtraError("calamine", "excel", purpose="reading XLSX"))
    findings = [Finding(name, "error", "m", "f") for name in ("b", "a", "b")]
    gate = GateError(findings, report="report.html")
    assert (gate.exit_code, UserError("x").exit_code, gate.names) == (3, 2, ("b", "a"))
    assert "--allow b --allow a" in str(gate)
    assert "report.html" in str(gate)
