"""Large tables go to files that are whole, reused when that is safe, and tidied when nobody uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supertune.data import read
from supertune.data.sources import spill
from supertune.data.storage import FileStorage
from supertune.errors import UserError

Write = Callable[[str, "str | bytes"], Path]


@pytest.fixture(autouse=True)
def small_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "SPILL_BYTES", 0)


def jsonl(count: int, word: str = "row") -> str:
    return "".join(json.dumps({"text": f"{word} {row}", "label": row % 2}) + "\n" for row in range(count))


def spills() -> list[str]:
    folder = spill.spills_folder()
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def test_a_second_read_finds_the_first(write: Write) -> None:
    path = write("a.jsonl", jsonl(100))
    first = read(path)
    assert isinstance(first.storage, FileStorage)
    stamp = first.storage.path.stat().st_mtime_ns
    second = read(path)
    assert second.storage.path.stat().st_mtime_ns == stamp  # type: ignore[attr-defined]
    assert list(second.rows()) == list(first.rows())
    assert second.fingerprint == first.fingerprint
    assert len(spills()) == 1


def test_notes_bad_rows_and_row_ids_come_back_from_the_file(write: Write) -> None:
    path = write("a.jsonl", jsonl(2) + "oops\n" + jsonl(1))
    first = read(path, on_bad_row="skip")
    second = read(path, on_bad_row="skip")
    assert second.row_ids.tolist() == first.row_ids.tolist() == [0, 1, 3]
    assert second.notes == first.notes
    assert second.bad_rows == first.bad_rows
    assert second.bad_row_count == 1
    assert second.lineage == first.lineage
    with pytest.raises(UserError, match="malformed"):
        read(path)


def test_a_changed_file_is_read_anew(write: Write) -> None:
    path = write("a.jsonl", jsonl(100, "old"))
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    assert read(path).row(0)["text"] == "old 0"
    write("a.jsonl", jsonl(100, "new"))
    os.utime(path, ns=times)
    assert read(path).row(0)["text"] == "new 0"


def test_a_damaged_spill_is_not_used(write: Write) -> None:
    path = write("a.jsonl", jsonl(100))
    table = read(path)
    file = table.storage.path  # type: ignore[attr-defined]
    expected = table.fingerprint
    file.write_bytes(file.read_bytes()[:-100])
    assert read(path).fingerprint == expected
    (file.parent / "about.json").write_text("{}")
    assert read(path).fingerprint == expected


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_reading_leaves_nothing(write: Write, error: type[BaseException]) -> None:
    path = write("a.jsonl", jsonl(20_000))

    def stop(rows: int, fraction: float | None) -> None:
        if rows > 10_000:
            raise error

    with pytest.raises(error):
        read(path, progress=stop)
    assert spills() == []
    assert len(read(path)) == 20_000


def test_a_refused_file_leaves_nothing(write: Write) -> None:
    with pytest.raises(UserError):
        read(write("a.jsonl", jsonl(20_000) + "{\n"))
    assert spills() == []


def test_types_may_widen_late(write: Write) -> None:
    rows: list[dict[str, object]] = [{"text": None, "score": 1} for _ in range(9_000)]
    rows += [{"text": "late", "score": 0.5, "extra": [1]} for _ in range(9_000)]
    table = read(write("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    assert isinstance(table.storage, FileStorage)
    assert table.row(0) == {"text": None, "score": 1.0, "extra": None}
    assert table.row(17_999) == {"text": "late", "score": 0.5, "extra": [1]}
    assert type(table.row(0)["score"]) is float


def test_csv_columns_are_typed_over_the_whole_file(write: Write) -> None:
    rows = "".join(f"t{row},{row},{row}\n" for row in range(9_000))
    table = read(write("a.csv", "text,label,code\n" + rows + "last,9000,x\n"))
    assert isinstance(table.storage, FileStorage)
    assert table.column("label") == list(range(9_001))
    assert table.column("code") == [*map(str, range(9_000)), "x"]


def test_the_least_recently_used_goes_first_and_none_in_use(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {}
    for name in ("held", "old", "older", "new"):
        path = write(f"{name}.jsonl", jsonl(500, name))
        table = read(path)
        names[name] = table.storage.path.parent.name  # type: ignore[attr-defined]
        if name == "held":
            held = table
        time.sleep(0.01)
    del table
    read(path.with_name("old.jsonl"))
    size = sum(file.stat().st_size for file in (spill.spills_folder() / names["old"]).iterdir())
    monkeypatch.setattr(spill, "CACHE_BYTES", int(3.5 * size))
    spill.tidy()
    assert set(spills()) == {names["held"], names["old"], names["new"]}
    assert held.row(3)["text"] == "held 3"


def test_leftovers_of_killed_processes_are_removed_after_a_day(write: Write) -> None:
    for name, age in ((".old.x.partial", 2 * 24 * 3600), (".young.x.partial", 60)):
        folder = spill.spills_folder() / name
        folder.mkdir(parents=True)
        (folder / "segment-0.arrow").write_bytes(b"x")
        for path in (folder / "segment-0.arrow", folder):
            os.utime(path, (time.time() - age,) * 2)
    read(write("a.jsonl", jsonl(10)))
    assert ".old.x.partial" not in spills()
    assert ".young.x.partial" in spills()


def test_a_cache_that_cannot_be_written_is_told(write: Write, cache: Path) -> None:
    (cache / "tables").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="SUPERTUNE_CACHE"):
        read(write("a.jsonl", jsonl(10)))


def test_a_full_disk_is_told_and_leaves_nothing(write: Write, cache: Path) -> None:
    """A limit on the size of files stands in for a full disk; in a process of its own, which keeps the limit."""
    path = write("a.jsonl", jsonl(50_000))
    program = (
        "import resource, signal, sys\n"
        "from supertune.data import read\n"
        "from supertune.data.sources import spill\n"
        "from supertune.errors import UserError\n"
        "spill.SPILL_BYTES = 0\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n    read(sys.argv[1])\n"
        "except UserError as error:\n    print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=120)
    assert "SUPERTUNE_CACHE" in done.stdout, done.stderr
    assert spills() == []
