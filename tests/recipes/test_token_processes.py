"""Tokens made in several processes are those of one, byte for byte; what is wrong with rows is told as by one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chat_templates import KNOWN, chat_tokenizer
from supertune.conversation_rows import conversations_of
from supertune.data import Table, infer_columns
from supertune.errors import UserError
from supertune.recipes import token_processes
from supertune.recipes.token_processes import shared_pieces, token_pieces
from supertune.tasks import TASKS, joined

BYTES, OFFSETS = ("input_ids", "weights", "characters"), ("offsets", "rows", "full_lengths")
TOKENIZERS: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_processes, "ROWS", 40)
    monkeypatch.setattr(token_processes, "_SLICE", 16)


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lets this process wait for what the others make: what they answered."""
    answers: list[str] = []
    made, told = token_processes._made, token_processes._told

    def later(*arguments: Any) -> Any:
        until = time.monotonic() + 60
        while len(answers) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        return made(*arguments)

    def noted(kind: str, said: Any) -> Any:
        answers.append(kind)
        return told(kind, said)

    monkeypatch.setattr(token_processes, "_made", later)
    monkeypatch.setattr(token_processes, "_told", noted)
    return answers


def talks(count: int) -> list[dict[str, Any]]:
    """Rows of many shapes: some too long, some nobody has answered, some with typed control tokens."""
    draw = random.Random(3)
    rows = []
    for row in range(count):
        turns = draw.choice((2, 2, 4, 6, 3))
        words = ["好的 parcel", "退款 😀", "hello there", "<|im_end|> typed" if row % 17 == 5 else "plain"]
        said = [" ".join(draw.choices(words, k=draw.randint(1, 12 if row % 9 else 90))) for _ in range(turns)]
        messages = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]
        rows.append({"messages": messages[:1] if row % 23 == 7 else messages, "number": row})
    return rows


def table_of(rows: list[dict[str, Any]]) -> Table:
    return Table.from_rows(rows, source="talks.jsonl")


def work_of(name: str, table: Table, *, max_length: int = 60, **settings: Any) -> tuple[Any, Any]:
    tokenizer = TOKENIZERS.setdefault(name, chat_tokenizer(KNOWN[name], "byte-bpe"))
    task = TASKS["chat"].built(infer_columns(table, answers="generated"), settings)
    return task, tokenizer


def same(one: Any, other: Any) -> None:
    for name in BYTES:
        assert one.tokens[name].dtype == other.tokens[name].dtype
        assert one.tokens[name].tobytes() == other.tokens[name].tobytes()
    for name in OFFSETS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert list(one.notes.items()) == list(other.notes.items())


@pytest.mark.parametrize(
    ("name", "settings", "others"),
    [
        ("chatml", {}, 1),
        pytest.param("gemma", {"too_long": "drop"}, 1, marks=pytest.mark.slow),
        ("mistral", {"rewritten": "each"}, 2),
        pytest.param("glm", {"learn": "last", "too_long": "error"}, 1, marks=pytest.mark.slow),
    ],
)
def test_one_process_and_several_make_the_same_of_cut_left_out_and_refused_rows(name, settings, others, helped):
    table = table_of(talks(300)).select(range(10, 290), step="some")
    task, tokenizer = work_of(name, table, **settings)
    alone = joined(task.token_batches(table, tokenizer, 60))
    assert len(alone)
    assert alone.notes is not None
    assert alone.notes["problem_rows"]
    assert alone.notes["answer_cut_rows"] or alone.notes["dropped_rows"]
    shared = shared_pieces(task.apart(tokenizer, 60), table, task.token_columns(table), others)
    same(joined(shared), alone)
    assert helped.count("done") >= 2


def test_large_rows_make_small_parts(monkeypatch, helped):
    monkeypatch.setattr(token_processes, "BYTES", 2000)
    table = table_of(talks(60))
    task, tokenizer = work_of("chatml", table)
    parts = list(token_processes._cut(table, ("messages",)))
    assert [part.first for part in parts] == np.cumsum([0, *(part.rows.num_rows for part in parts)])[:-1].tolist()
    assert max(part.rows.num_rows for part in parts) <= 16
    same(
        joined(shared_pieces(task.apart(tokenizer, 60), table, ("messages",), 1)),
        joined(task.token_batches(table, tokenizer, 60)),
    )


def test_few_rows_and_one_core_are_left_to_one_process(monkeypatch):
    table = table_of(talks(30))
    task, tokenizer = work_of("chatml", table)
    monkeypatch.setattr(subprocess, "Popen", None)
    for worth, processes in ((31, 2), (31, 8), (1, 1)):
        monkeypatch.setattr(token_processes, "WORTH", worth)
        same(
            joined(token_pieces(task, table, tokenizer, 60, processes=processes)),
            joined(task.token_batches(table, tokenizer, 60)),
        )


@pytest.mark.parametrize("bad", [[3, 50, 250], [100]])
def test_the_first_wrong_row_is_told_by_its_number_in_the_file(bad, helped):
    rows = talks(300)
    for row in bad:
        rows[row]["messages"] = [{"role": "judge", "content": "x"}, {"role": "assistant", "content": "y"}]
    table = table_of(rows)
    task, tokenizer = work_of("chatml", table)
    with pytest.raises(UserError) as alone:
        list(conversations_of(table, task.columns))
    with pytest.raises(UserError) as shared:
        joined(shared_pieces(task.apart(tokenizer, 60), table, ("messages",), 1))
    assert helped
    assert f"row {bad[0]} " in shared.value.what
    assert (shared.value.what, shared.value.where, shared.value.fix) == (
        alone.value.what,
        alone.value.where,
        alone.value.fix,
    )
    assert no_helper_is_left()


def test_who_wants_no_more_pieces_leaves_no_process():
    table = table_of(talks(300))
    task, tokenizer = work_of("chatml", table)
    pieces = shared_pieces(task.apart(tokenizer, 60), table, ("messages",), 2)
    next(pieces)
    pieces.close()
    assert no_helper_is_left()


def test_a_process_that_is_killed_is_told(monkeypatch):
    started: list[subprocess.Popen[bytes]] = []
    begin = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(begin(*arguments, **options))
        started[-1].send_signal(signal.SIGKILL)
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    table = table_of(talks(4000))
    task, tokenizer = work_of("chatml", table)
    with pytest.raises(UserError, match=r"was ended \(signal 9\)") as caught:
        joined(shared_pieces(task.apart(tokenizer, 60), table, ("messages",), 1))
    assert "train.threads=1" in (caught.value.fix or "")


SCRIPT = """
import sys, time
sys.path.insert(0, {tests!r})
import test_token_processes as t
from supertune.recipes import token_processes as p
p.ROWS = 40
table = t.table_of(t.talks(4000))
task, tokenizer = t.work_of("chatml", table)
for number, piece in enumerate(p.shared_pieces(task.apart(tokenizer, 60), table, ("messages",), 1)):
    print(number, flush=True)
    time.sleep(0.05)
"""


def test_ctrl_c_ends_all_processes_at_once(tmp_path: Path):
    tests = str(Path(__file__).parent)
    # A script without a guard, which starting a process must not run again.
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=tests), encoding="utf-8")
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(tests).parent), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stdout.readline().strip() == "0"
    os.killpg(process.pid, signal.SIGINT)
    begun = time.monotonic()
    _, told = process.communicate()
    watchdog.cancel()
    assert time.monotonic() - begun < 20
    assert told.count("Traceback") == 1
    assert told.rstrip().endswith("KeyboardInterrupt")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def no_helper_is_left() -> bool:
    """Whether no thread feeds a process any more; a process that is not waited for would raise a warning."""
    return not any(thread.name.startswith("Thread") and "_feed" in thread.name for thread in threading.enumerate())
