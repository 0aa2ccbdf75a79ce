"""A conversation: what was said is known; answers come as they are written, and can be stopped."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_predict_written import by_transformers, command

import supertune
from supertune.errors import UserError
from supertune.generate import Context
from supertune.recipes.talk import Talk, open_writer
from supertune.recipes.writing_choices import WritingChoices
from tiny_decoders import face_rows

Writers = Callable[[str], Path]
PLAIN = WritingChoices()
OWNED = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from supertune.cli import main
main()
"""
"""The command, to whom the terminal belongs: Ctrl-C goes there."""


def talk_with(run: Path, choices: WritingChoices = PLAIN, told: list[str] | None = None) -> Talk:
    return Talk(open_writer(str(run)).saved, choices, (told if told is not None else []).append)


def said(talk: Talk, *typed: str) -> str:
    return "".join(talk.say(*typed))


def test_what_was_said_is_written_by_the_template_of_the_training(chat_writer: Path) -> None:
    talk = talk_with(chat_writer, WritingChoices(system="be kind", max_new_tokens=6))
    messages = [{"role": "system", "content": "be kind"}]
    for typed in ("bad cat", "tea", "rain film 好"):
        messages.append({"role": "user", "content": typed})
        expected = by_transformers(chat_writer / "model", messages, max_new_tokens=6)
        assert said(talk, typed).strip() == expected
        messages.append({"role": "assistant", "content": expected})
    assert talk.messages() == messages
    assert talk.rows() == [{"messages": messages}]
    assert supertune.load_run(chat_writer).chat(messages[:-1], max_new_tokens=6) == messages[-1]["content"]


def test_turns_are_taken_back_and_forgotten(chat_writer: Path) -> None:
    talk = talk_with(chat_writer)
    assert talk.undo() is None
    first = said(talk, "bad cat")
    said(talk, "tea")
    taken = talk.undo()
    assert taken is not None
    assert taken.typed == ("tea",)
    assert [turn.answer.content for turn in talk.turns] == [first]
    talk.reset()
    assert said(talk, "bad cat") == first
    with pytest.raises(UserError, match="means nothing"):
        talk.change(WritingChoices(temperature=-1.0))
    assert talk.choices == PLAIN


def test_an_answer_that_is_stopped_is_kept_as_far_as_it_came(chat_writer: Path) -> None:
    talk = talk_with(chat_writer)
    with contextlib.closing(talk.say("bad cat")) as pieces:
        first = next(pieces)
    assert [(turn.answer.content, turn.ended) for turn in talk.turns] == [(first, "interrupted")]
    assert said(talk, "tea")


def test_the_oldest_turns_are_left_out_when_the_window_is_full_and_that_is_told(chat_writer: Path) -> None:
    told: list[str] = []
    talk = talk_with(chat_writer, WritingChoices(max_new_tokens=440), told)
    for _ in range(4):
        said(talk, "bad cat film tea rain dog")
    assert "the first turn is left out" in told[0]
    assert len(talk.turns) == 4
    assert len(talk.turns[-1].answer.content) > 0
    with pytest.raises(UserError, match="is most that leaves room"):
        said(talk, "bad cat " * 200)
    assert len(talk.turns) == 4


class Forgetful(Talk):
    """Reads everything again at every turn."""

    def say(self, *typed: str) -> Generator[str, None, None]:
        self._context = Context()
        yield from super().say(*typed)


@pytest.mark.parametrize(("temperature", "new"), [(0.0, 440), (1.5, 16)])
def test_what_is_not_read_again_changes_nothing_that_is_said(chat_writer: Path, temperature: float, new: int) -> None:
    """Also when the window is full and the oldest turns go, and when something is taken back or forgotten."""
    choices = WritingChoices(max_new_tokens=new, temperature=temperature, seed=5)
    both = [kind(open_writer(str(chat_writer)).saved, choices, lambda _: None) for kind in (Talk, Forgetful)]
    read: list[int] = []
    both[0]._saved.model.get_input_embeddings().register_forward_hook(
        lambda _, given, __: read.append(given[0].numel())
    )

    def asked(typed: str) -> int:
        """How many tokens were read before the first was written."""
        read.clear()
        one, other = (said(talk, typed) for talk in both)
        assert one == other
        return read[0]

    assert asked("bad cat film tea rain dog") > 15
    for typed in ("tea", "rain", "茶", "film good", "tea"):
        assert asked(typed) > 0
    for talk in both:
        talk.undo()
    asked("dog")
    for talk in both:
        talk.reset()
        talk.change(replace(choices, system="be kind"))
    asked("bad cat")
    first = asked("tea")
    # The same again after a step back: all but the last token is known.
    for talk in both:
        talk.undo()
    assert asked("tea") <= first
    if not temperature:
        for talk in both:
            talk.undo()
        assert asked("tea") == 1


def test_tasks_with_words_of_their_own_are_asked_turn_by_turn(brief_writers: Writers) -> None:
    talk = talk_with(brief_writers("translation"), WritingChoices(max_new_tokens=4))
    assert not talk.together
    first = said(talk, "good film")
    said(talk, "bad cat")
    assert said(talk, "good film") == first
    assert len(talk.rows()) == 3
    asked = talk.rows()[0]["messages"][0]["content"]
    assert asked == "Translate the following text into Chinese.\n\ngood film"
    assert talk_with(brief_writers("generative-qa")).fields == ("question", "context")
    assert talk_with(brief_writers("text")).plain


@pytest.mark.slow
def test_through_a_pipe_every_line_is_a_turn_and_only_answers_come_out(chat_writer: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (chat_writer.parent / "learned.jsonl").read_text().splitlines()[:1]]
    asked, answer = (message["content"] for message in rows[0]["messages"])
    lines = [asked, "", "/reset", '"""', asked, '"""', f"/save {tmp_path / 'talk.jsonl'}", "/exit", "never"]
    done = command("chat", chat_writer, stdin="\n".join(lines))
    assert done.printed == f"{answer}\n{answer}\n"
    assert "what was said is forgotten" in done.said
    assert [json.loads(line) for line in (tmp_path / "talk.jsonl").read_text().splitlines()] == rows
    done = command("chat", chat_writer, "--json", stdin=f"{asked}\n")
    found = json.loads(done.printed)
    assert found["messages"] == rows[0]["messages"]
    assert found["ended"] == ["stop"]
    done = command("chat", chat_writer, stdin=f"{asked}\n/nothing\n", code=2)
    assert done.printed == f"{answer}\n"
    assert "line 2: there is no command /nothing" in done.said
    assert "has no end" in command("chat", chat_writer, stdin='"""\nbad', code=2).said


def test_an_encoder_that_transformers_opens_as_a_decoder_writes_nothing(tmp_path: Path, tiny_encoder: Path) -> None:
    import transformers

    fills_gaps = transformers.BertForMaskedLM(transformers.BertConfig.from_pretrained(tiny_encoder))
    fills_gaps.save_pretrained(tmp_path / "bert")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tiny_encoder / name, tmp_path / "bert" / name)
    assert isinstance(
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "bert"), transformers.PreTrainedModel
    )
    with pytest.raises(UserError, match="'bert' is an encoder"):
        open_writer(str(tmp_path / "bert"))
    with pytest.raises(UserError, match="'bert' is an encoder"):
        supertune.fit(face_rows("chat", 20), task="chat", model=str(tmp_path / "bert"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_ctrl_c_ends_with_a_word_through_a_pipe(tiny_decoder: Path) -> None:
    line = [sys.executable, "-m", "supertune", "chat", str(tiny_decoder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, text=True) as process:
        assert process.stderr is not None
        assert "has not been trained here" in process.stderr.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert "error: interrupted" in process.stderr.read()


@pytest.mark.slow
def test_what_cannot_be_talked_with_is_refused(tmp_path: Path, tiny_encoder: Path, brief_writers: Writers) -> None:
    assert "there is no such run" in command("chat", tmp_path / "none", stdin="a\n", code=2).said
    assert "is an encoder: it reads texts and writes none" in command("chat", tiny_encoder, stdin="a\n", code=2).said
    done = command("chat", brief_writers("generative-qa"), stdin="good film?\n", code=2)
    assert "what was typed has no context" in done.said
    done = command("chat", brief_writers("text"), "--system", "be kind", stdin="a\n", code=2)
    assert "nobody is told anything" in done.said


class Terminal:
    """A person at a terminal who talks with a model."""

    def __init__(self, *arguments: object) -> None:
        self._own, theirs = pty.openpty()
        line = [sys.executable, "-c", OWNED, "chat", *map(str, arguments)]
        # Wide enough that no line of a long path is broken.
        surroundings = {**os.environ, "TERM": "dumb", "COLUMNS": "400"}
        self.process = subprocess.Popen(
            line, stdin=theirs, stdout=theirs, stderr=theirs, env=surroundings, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._own, text.encode())

    def interrupt_until(self, text: str) -> None:
        """Ctrl-C until this is shown: one that comes just before a line is read is only heard with the next key."""
        for _ in range(60):
            self.type("\x03")
            try:
                self.wait_for(text, 3)
            except AssertionError:
                continue
            return
        raise AssertionError(self.shown)

    def wait_for(self, text: str, seconds: float = 90) -> str:
        """What is shown up to this text, and nothing of it again."""
        ending = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < ending, self.shown
            if select.select([self._own], [], [], 0.2)[0]:
                self.shown += os.read(self._own, 4096).decode("utf-8", "replace")
        before, _, self.shown = self.shown.partition(text)
        return before

    def more(self, seconds: float = 90) -> str:
        """Whatever is shown next."""
        assert select.select([self._own], [], [], seconds)[0]
        found = os.read(self._own, 4096).decode("utf-8", "replace")
        self.shown += found
        return found


@pytest.fixture
def endless(tiny_decoder: Path) -> Iterator[Terminal]:
    """A model that nobody has trained, which goes on and on."""
    terminal = Terminal(tiny_decoder, "--max-new-tokens", 450, "--temperature", 5)
    yield terminal
    terminal.process.kill()
    terminal.process.wait()


@pytest.mark.slow
def test_in_a_terminal_answers_stream_and_ctrl_c_stops_one_of_them(endless: Terminal) -> None:
    endless.wait_for("has not been trained here")
    endless.wait_for("> ")
    endless.type("tea\n")
    endless.wait_for("tea\r\n")
    endless.more()
    endless.type("\x03")
    endless.wait_for("(stopped; what was written is kept)")
    endless.wait_for("> ")
    endless.interrupt_until("(Ctrl-D or /exit ends)")
    endless.type("/nothing\n")
    endless.wait_for("there is no command /nothing")
    endless.type("/help\n")
    endless.wait_for("/retry")
    endless.type("/undo\n")
    endless.wait_for("taken back: tea")
    # Ctrl-D is the end where a line is read, and a character like others before.
    endless.wait_for("> ")
    endless.type("\x04")
    assert endless.process.wait(60) == 0
