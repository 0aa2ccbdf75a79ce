"""``supertune augment`` that asks an endpoint: rows, costs, what stays here, and going on after Ctrl-C."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from supertune.cli import main

sys.path.insert(0, str(Path(__file__).parents[1] / "generate"))
from chat_server import Reply, said, serving

ROWS = [
    {"text": f"The parcel number {n} came very late today", "label": "post" if n % 2 else "shop"} for n in range(24)
]


def otherwise(body: dict[str, Any], number: int) -> Reply:
    words = str(body["messages"][-1]["content"]).split()
    return Reply(body=said(f"Very late today was parcel {next(word for word in words if word.isdigit())}, they say"))


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["augment", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def test_rows_are_written_and_nothing_is_asked_twice(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    usual = (rows, "--by", "paraphrase", "--writer-model", "m", "--writer-key", "MY_KEY", "--json")
    with serving(otherwise) as server:
        first = tmp_path / "first"
        assert command(*usual, "--writer", server.url, "--budget-requests", 5, "--out", tmp_path / "some") == 0
        some = json.loads(capsys.readouterr().out)
        assert some["augmenters"][0]["added"] == 5
        assert some["augmenters"][0]["dropped"]["the budget is spent"] > 0
        assert command(*usual, "--writer", server.url, "--out", first) == 0
        told = json.loads(capsys.readouterr().out)
        train = told["splits"]["train"]["rows"]
        assert told["augmenters"][0]["added"] * 2 == train
        assert len(server.requests) == told["augmenters"][0]["added"]
        assert command(*usual, "--writer", server.url, "--out", tmp_path / "second") == 0
        assert len(server.requests) == told["augmenters"][0]["added"]
    written = [path.read_bytes() for path in sorted(first.iterdir())]
    assert not any(b"sk-very-secret" in content for content in written)
    assert (first / "train.jsonl").read_bytes() == (tmp_path / "second" / "train.jsonl").read_bytes()
    asked = {text for line in (first / "train.jsonl").read_text().splitlines() for text in [json.loads(line)["text"]]}
    assert all(any(row["text"] in body["messages"][-1]["content"] for row in ROWS) for _, body in server.requests)
    assert len(asked) == train


def test_ctrl_c_keeps_what_was_written(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import supertune.generate.answer_cache as module

    keep, kept = module.AnswerCache.keep, [0]

    def keeping(self: module.AnswerCache, *rest: Any) -> None:
        keep(self, *rest)
        kept[0] += 1
        if kept[0] == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(module.AnswerCache, "keep", keeping)
    with serving(otherwise) as server:
        usual = (rows, "--by", "paraphrase", "--writer", server.url, "--writer-model", "m", "--out", tmp_path / "out")
        assert command(*usual) == 130
        assert not (tmp_path / "out").exists()
        assert command(*usual) == 0
        assert sorted(server.asked) == sorted(set(server.asked))


def test_what_cannot_be_is_told(rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    far = ("--writer", "https://api.example.com/v1", "--writer-model", "m")
    assert command(rows, "--by", "random-swap", *far) == 2
    assert "no augmenter that was named asks a model" in capsys.readouterr().err
    assert command(rows, "--by", "paraphrase") == 2
    assert "asks a model, and none was named" in capsys.readouterr().err
    assert command(rows, "--by", "random-swap", "--budget-money", 1, "--cache", tmp_path / "c") == 2
    assert "--budget-money, --cache: means nothing where nobody is asked" in capsys.readouterr().err
    unbounded = ("--writer-body", '{"max_tokens": null}', "--budget-tokens", 1000)
    assert command(rows, "--by", "paraphrase", *far, *unbounded) == 2
    assert "fit into no budget" in capsys.readouterr().err
    private = tmp_path / "private.jsonl"
    mails = [{**row, "text": f"{row['text']}: jane{n}.doe@example.com"} for n, row in enumerate(ROWS)]
    private.write_text("".join(json.dumps(row) + "\n" for row in mails), encoding="utf-8")
    assert command(private, "--by", "paraphrase", *far) == 2
    said = capsys.readouterr().err
    assert "personal data" in said
    assert "jane" not in said
