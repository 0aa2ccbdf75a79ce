"""An endpoint is asked with patience and within a budget, and believed only what it says whole."""

from __future__ import annotations

import email.utils
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, echo, said, serving

from supertune.contracts import TextPrompt, WrittenText
from supertune.errors import UserError
from supertune.generate import AnswerCache, EndpointSettings, EndpointWriter, KeptWriter, Limits, Prices
from supertune.generate.endpoint import writer as module

KEY = "sk-secret-0123456789"
BROKEN = Reply(500, {"error": {"message": "oh"}})


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_WAIT", 0.01)
    monkeypatch.delenv("SUPERTUNE_WRITER_KEY", raising=False)


def writer_at(url: str, limits: Limits | None = None, **more: Any) -> EndpointWriter:
    return EndpointWriter(EndpointSettings(**{"url": url, "model": "m", "retries": 3, **more}), limits)


def asked(*texts: str) -> list[TextPrompt]:
    return [TextPrompt(text, "be brief", seed) for seed, text in enumerate(texts)]


def texts(written: list[WrittenText]) -> list[str | None]:
    return [one.text for one in written]


def test_answers_come_in_the_order_of_the_questions_and_are_asked_side_by_side() -> None:
    def play(body: dict[str, Any], number: int) -> Reply:
        return Reply(body=echo(body, number).body, seconds=0.02 * (number % 3))

    with serving(play) as server:
        writer = writer_at(server.url, at_once=3, body={"top_k": 5}, temperature=0.25)
        told: list[int] = []
        found = writer.write(asked(*map(str, range(12)), "好", "a"), lambda number, _: told.append(number))
        assert texts(found) == [*map(str, range(12)), "好", "A"]
        assert sorted(told) == list(range(14))
        assert 1 < server.most <= 3
        headers, body = server.requests[0]
        assert set(server.paths) == {"/v1/chat/completions"}
        assert "authorization" not in headers
        assert (body["model"], body["temperature"], body["top_k"], body["max_tokens"]) == ("m", 0.25, 5, 1024)
        assert body["messages"][0] == {"role": "system", "content": "be brief"}
        assert "seed" not in body
        assert writer.budget.as_dict() == {"requests": 14, "prompt_tokens": 140, "new_tokens": 70}


def test_fields_of_the_request_can_be_left_out_added_and_seeds_sent() -> None:
    with serving() as server:
        body = {"max_tokens": None, "max_completion_tokens": 7, "temperature": None}
        writer_at(server.url + "/chat/completions?api-version=3", body=body, send_seed=True).write(asked("a", "b"))
        assert server.paths == ["/v1/chat/completions?api-version=3"] * 2
        assert {sent["seed"] for _, sent in server.requests} == {0, 1}
        assert all("max_tokens" not in sent and "temperature" not in sent for _, sent in server.requests)
        assert all(sent["max_completion_tokens"] == 7 for _, sent in server.requests)


@pytest.mark.parametrize(
    "bad",
    [
        Reply(429, {}, {"Retry-After": "0.05"}),
        BROKEN,
        Reply(503, b"<html>"),
        Reply(200, b'{"choices": ['),
        Reply(200, {"choices": []}),
        Reply(200, ["no"]),
        Reply(200, b" " * (5 * 2**20)),
        Reply(200, b"x", {"content-length": "100"}, 0.0),
    ],
    ids=["429", "500", "503", "half", "none", "list", "huge", "broken-off"],
)
def test_what_passes_is_asked_again(bad: Reply) -> None:
    def play(body: dict[str, Any], number: int) -> Reply:
        return bad if number < 2 else echo(body, number)

    with serving(play) as server:
        # What is promised and does not come is waited for until the time is over.
        writer = writer_at(server.url, at_once=1, seconds=0.5 if "content-length" in bad.headers else 20)
        assert texts(writer.write(asked("a"))) == ["A"]
        assert len(server.requests) == 3
        assert writer.retries == 2


def test_a_server_that_asks_for_patience_is_left_alone_by_all() -> None:
    soon = email.utils.formatdate(time.time() + 2, usegmt=True)

    def play(body: dict[str, Any], number: int) -> Reply:
        times.append(time.monotonic())
        if number == 0:
            return Reply(429, {}, {"Retry-After": "0.4"})
        return Reply(429, {}, {"Retry-After": soon}) if number == 1 else echo(body, number)

    times: list[float] = []
    with serving(play) as server:
        assert texts(writer_at(server.url, at_once=1).write(asked("a", "b"))) == ["A", "B"]
    assert times[1] - times[0] >= 0.4
    assert times[2] - times[0] >= 0.5


def test_slow_answers_are_given_up_even_where_bytes_keep_coming() -> None:
    for slow in (Reply(body=said("x"), seconds=5), Reply(body=said("x"), drip=0.05)):
        with serving(lambda *_: slow) as server:  # noqa: B023
            begun = time.monotonic()
            found = writer_at(server.url, retries=0, seconds=0.2).write(asked("a"))
            assert (found[0].text, found[0].reason, found[0].final) == (None, "no answer in time", False)
            assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (said("half a sen", "length"), "cut off by its length"),
        (said("x", "content_filter"), "withheld by the server's filter"),
        (said(None, "tool_calls"), "no text but a call of a tool"),
        (said(None, refusal="I can't"), "refused by the model"),
        (said("  \n"), "empty answer"),
        (said(None), "empty answer"),
    ],
)
def test_answers_that_are_not_whole_are_refused_and_not_asked_again(body: dict[str, Any], reason: str) -> None:
    with serving(lambda *_: Reply(body=body)) as server:
        (found,) = writer_at(server.url).write(asked("a"))
        assert (found.text, found.reason, found.final, len(server.requests)) == (None, reason, True, 1)


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (Reply(404, {"error": {"message": "no model m"}}), r"no model 'm' \(404\): no model m"),
        (Reply(404, b"<html>"), "address, which often ends in /v1"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:9/v1"}), "sends on to http://127.0.0.1:9/v1"),
        (Reply(400, {"error": {"message": "unknown field\x1b[2J top_p"}}), "unknown field. *.2J top_p"),
        (Reply(402, {}), "nothing left to spend"),
        (Reply(429, {"error": {"code": "insufficient_quota", "message": "pay"}}), "nothing left to spend: pay"),
        (Reply(429, {}, {"Retry-After": "86400"}), "no answer after"),
    ],
)
def test_what_no_request_can_mend_ends_it_at_once(reply: Reply, match: str) -> None:
    if reply.headers.get("Retry-After"):
        match = "no answer: the server answered 429"
    with serving(lambda *_: reply) as server:
        with pytest.raises(UserError, match=match):
            writer_at(server.url, at_once=1).write(asked("a", "b", "c"))
        assert len(server.requests) == 1


def test_one_question_that_is_refused_is_left_out_where_others_are_answered() -> None:
    def play(body: dict[str, Any], number: int) -> Reply:
        return Reply(400, {}) if body["messages"][-1]["content"] == "bad" else echo(body, number)

    with serving(play) as server:
        found = writer_at(server.url, at_once=1).write(asked("a", "bad", "c"))
        assert texts(found) == ["A", None, "C"]
        assert found[1].reason == "refused by the server (400)"


def test_a_server_that_gives_no_more_answers_ends_it() -> None:
    with serving(lambda *_: BROKEN) as server:
        with pytest.raises(UserError, match=r"no answer after 2 attempts: the server answered 500"):
            writer_at(server.url, at_once=2, retries=1).write(asked(*map(str, range(50))))
        assert len(server.requests) < 20
        url = server.url
    with pytest.raises(UserError, match="cannot be reached"):
        writer_at(url, retries=1).write(asked("a"))


def test_the_key_comes_from_the_surroundings_and_goes_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(key=KEY) as server:
        with pytest.raises(UserError, match=r"(?s)no key was sent.*\$SUPERTUNE_WRITER_KEY") as missing:
            writer_at(server.url).write(asked("a"))
        monkeypatch.setenv("MY_KEY", "sk-wrong-9876543210")
        with pytest.raises(UserError, match=r"(?s)does not accept the key.*bad key Bearer …") as wrong:
            writer_at(server.url, key_variable="MY_KEY").write(asked("a"))
        assert len(server.requests) < 10
        monkeypatch.setenv("MY_KEY", KEY + "\n")
        writer = writer_at(server.url, key_variable="MY_KEY")
        with AnswerCache(tmp_path / "kept" / "a.sqlite") as cache:
            assert texts(KeptWriter(writer, cache).write(asked("a"))) == ["A"]
        with pytest.raises(UserError, match="NO_KEY is not set"):
            writer_at(server.url, key_variable="NO_KEY").write(asked("a"))
        monkeypatch.setenv("MY_KEY", "two words")
        with pytest.raises(UserError, match="holds no key"):
            writer.write(asked("a"))
    everything = [str(missing.value), str(wrong.value), repr(writer.settings), str(writer.identity), caplog.text]
    everything += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY in text or "sk-wrong" in text for text in everything)
    assert (tmp_path / "kept" / "a.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "https://me:pw@host/v1", "no url", ""])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(UserError, match=r"no address|name or password") as error:
        EndpointSettings(url, "m")
    assert "pw" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.9/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://192.168.1.5/v1", False),
        ("https://localhost.example.com/v1", False),
        ("https://127.0.0.1.example.com/v1", False),
    ],
)
def test_only_this_machine_is_local(url: str, local: bool) -> None:
    assert EndpointSettings(url, "m").local is local
    assert EndpointSettings(url + "?key=abc", "m").shown == url + "/chat/completions"


def test_no_budget_is_ever_exceeded_and_what_was_written_is_kept() -> None:
    prices = Prices(1.0, 4.0)
    most = 30 + 64 + 8 + 2
    for limits in (Limits(requests=3), Limits(tokens=3 * most), Limits(money=1e-3, prices=prices), Limits(tokens=10)):

        def play(body: dict[str, Any], number: int) -> Reply:
            return Reply(body=said("ok", read=60, new=30), seconds=0.01)

        with serving(play) as server:
            writer = writer_at(server.url, limits, at_once=4, max_new_tokens=30)
            found = writer.write(asked(*(f"{n:02}" for n in range(12))))
            count = len([one for one in found if one.text])
            spent = writer.budget
            assert count == spent.requests == len(server.requests)
            assert [one.reason for one in found if one.text is None] == ["the budget is spent"] * (12 - count)
            assert not any(one.final for one in found if one.text is None)
            assert limits.requests is None or spent.requests == limits.requests
            assert limits.tokens is None or spent.prompt_tokens + spent.new_tokens <= limits.tokens
            assert limits.money is None or 0 < (spent.money or 0) <= limits.money
            assert (count == 0) == (limits.tokens == 10)
    with pytest.raises(UserError, match="nobody knows what tokens cost"):
        Limits(money=1.0)


def test_requests_that_fail_count_too() -> None:
    with serving(lambda *_: BROKEN) as server:
        found = writer_at(server.url, Limits(requests=2), at_once=1).write(asked("a"))
        assert found[0].reason == "the budget is spent"
        assert len(server.requests) == 2


class StopError(Exception):
    """Stands for whatever ends the work, such as Ctrl-C."""


def test_interrupted_work_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    prompts = asked(*map(str, range(20)))

    def play(body: dict[str, Any], number: int) -> Reply:
        return Reply(body=echo(body, number).body, seconds=0.01)

    with serving(play) as server, AnswerCache(tmp_path / "a.sqlite") as cache:

        def until_seven(number: int, _: WrittenText) -> None:
            told.append(number)
            if len(told) == 7:
                raise StopError

        told: list[int] = []
        with pytest.raises(StopError):
            KeptWriter(writer_at(server.url), cache).write(prompts, until_seven)
        before = len(server.requests)
        assert before < 20
        writer = writer_at(server.url)
        found = KeptWriter(writer, cache).write([*prompts, *prompts])
        assert texts(found) == [*map(str, range(20))] * 2
        assert sorted(server.asked) == sorted(map(str, range(20)))
        assert writer.budget.requests == 20 - before
        # Other settings, another seed and another model are other questions.
        KeptWriter(writer_at(server.url, temperature=0.1), cache).write(prompts[:1])
        KeptWriter(writer_at(server.url, model="n"), cache).write(prompts[:1])
        KeptWriter(writer_at(server.url), cache).write([TextPrompt("0", "be brief", 99)])
        assert len(server.requests) == 23


def test_refusals_are_kept_and_passing_errors_are_not(tmp_path: Path) -> None:
    def play(body: dict[str, Any], number: int) -> Reply:
        return Reply(body=said("x", "length")) if number == 0 else BROKEN if number == 1 else echo(body, number)

    with serving(play) as server, AnswerCache(tmp_path / "a.sqlite") as cache:
        kept = KeptWriter(writer_at(server.url, retries=0, at_once=1), cache)
        assert texts(kept.write(asked("a", "b"))) == [None, None]
        assert texts(kept.write(asked("a", "b"))) == [None, "B"]
        assert kept.write(asked("a"))[0].reason == "cut off by its length"
        assert server.asked == ["a", "b", "b"]


def test_two_processes_may_keep_answers_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with AnswerCache(path) as one, AnswerCache(path) as other:
        one.keep("k", WrittenText("first"), "w")
        other.keep("k", WrittenText("second"), "w")
        assert other.find(["k", "l"]) == {"k": WrittenText("first", kept=True)}
    child = os.fork()
    if not child:
        try:
            with AnswerCache(path) as mine:
                for number in range(15):
                    mine.keep(f"child {number}", WrittenText(str(number)), "w")
        finally:
            os._exit(0)
    with AnswerCache(path) as mine:
        for number in range(15):
            mine.keep(f"parent {number}", WrittenText(str(number)), "w")
        assert os.waitpid(child, 0)[1] == 0
        assert len(mine.find([f"{who} {number}" for who in ("child", "parent") for number in range(15)])) == 30


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    yield path
    assert path.exists()


def test_a_damaged_file_is_told(damaged: Path) -> None:
    with pytest.raises(UserError, match="kept answers cannot be used"):
        AnswerCache(damaged)
    with pytest.raises(UserError, match="cannot be used"):
        AnswerCache(damaged / "below" / "b.sqlite")
