"""Kept tokens are the ones that were written or none at all, and a cache that cannot be used stops nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Features
from supertune.data import Table, TokenCache, read, texts_fingerprint, token_cache, tokens_folder

KEY = "ab" * 32


def features(*lengths: int, first: int = 0, seed: int = 0) -> Features:
    random = np.random.default_rng(seed)
    return Features(
        tokens={
            "input_ids": random.integers(0, 30_000, sum(lengths)).astype(np.int32),
            "token_type_ids": random.integers(0, 2, sum(lengths)).astype(np.int8),
        },
        offsets=np.cumsum([0, *lengths], dtype=np.int64),
        targets={},
        rows=np.arange(first, first + len(lengths), dtype=np.int64),
        full_lengths=np.array(lengths, np.int64) * 3,
    )


def equal(found: Features | None, wanted: Features) -> bool:
    assert found is not None
    pairs = [(found.tokens[name], values) for name, values in wanted.tokens.items()]
    pairs += [(getattr(found, name), getattr(wanted, name)) for name in ("offsets", "rows", "full_lengths")]
    same = all(np.array_equal(ours, theirs) and ours.dtype == theirs.dtype for ours, theirs in pairs)
    return same and list(found.tokens) == list(wanted.tokens) and found.targets == {}


def file_of(key: str = KEY) -> Path:
    return tokens_folder() / f"{key}.arrow"


def names() -> list[str]:
    return sorted(path.name for path in tokens_folder().iterdir()) if tokens_folder().exists() else []


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def kept(said: list[str]) -> TokenCache:
    return TokenCache(said.append)


def test_what_was_written_comes_back(kept: TokenCache, said: list[str]) -> None:
    wanted = features(3, 0, 5, 1)
    assert kept.find(KEY) is None
    assert equal(kept.keep(KEY, lambda: [wanted]), wanted)
    assert equal(kept.find(KEY), wanted)
    assert kept.find("cd" * 32) is None
    assert said == []
    assert names() == [file_of().name]


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=5))
def test_pieces_become_one(lengths: list[list[int]]) -> None:
    starts = np.cumsum([0, *map(len, lengths)])
    parts = [features(*each, first=int(start), seed=int(start)) for each, start in zip(lengths, starts, strict=False)]
    found = TokenCache(pytest.fail).keep(KEY, lambda: iter(parts))
    whole = features(*(length for each in lengths for length in each))
    tokens = {name: np.concatenate([part.tokens[name] for part in parts]) for name in whole.tokens}
    assert equal(found, Features(tokens, whole.offsets, {}, whole.rows, whole.full_lengths))


def test_tokens_are_mapped_and_outlive_their_file(kept: TokenCache) -> None:
    wanted = features(*range(200))
    found = kept.keep(KEY, lambda: [wanted])
    assert found is not None
    assert not any(values.flags.writeable for values in (*found.tokens.values(), found.offsets, found.rows))
    if sys.platform == "linux":
        assert str(file_of()) in Path("/proc/self/maps").read_text()
    file_of().unlink()
    assert equal(found, wanted)


def test_other_programs_can_read_a_file(kept: TokenCache) -> None:
    kept.keep(KEY, lambda: [features(2, 0, 1)])
    table = pa.ipc.open_file(file_of()).read_all()
    assert [len(tokens) for tokens in table["tokens"].to_pylist()] == [2, 0, 1]
    assert table["full_lengths"].to_pylist() == [6, 0, 3]


# ---------------------------------------------------------------------------------------------- damage


def test_every_byte_counts(kept: TokenCache, said: list[str]) -> None:
    """Whatever is flipped or cut off: the right tokens (where it was padding), or none and a line that says so."""
    wanted = features(3, 0, 4)
    kept.keep(KEY, lambda: [wanted])
    good = file_of().read_bytes()
    flipped = (good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :] for at in range(len(good)))
    cut = (good[:length] for length in range(len(good)))
    damaged = 0
    for content in (*flipped, *cut):
        said.clear()
        # A new file: the old one may still be mapped.
        file_of().unlink()
        file_of().write_bytes(content)
        found = kept.find(KEY)
        if found is None:
            damaged += 1
            assert len(said) == 1
            assert str(file_of()) in said[0]
            assert "tokenised again" in said[0]
        else:
            assert equal(found, wanted)
            assert said == []
    assert damaged > 1.5 * len(good)
    assert equal(kept.keep(KEY, lambda: [wanted]), wanted), "a damaged file is replaced"
    assert equal(kept.find(KEY), wanted)


def test_a_file_under_another_name_is_not_used(kept: TokenCache, said: list[str]) -> None:
    kept.keep(KEY, lambda: [features(1)])
    file_of().rename(file_of("cd" * 32))
    assert kept.find("cd" * 32) is None
    assert len(said) == 1


def test_a_folder_in_place_of_the_file(kept: TokenCache, said: list[str]) -> None:
    file_of().mkdir(parents=True)
    assert kept.find(KEY) is None
    assert kept.keep(KEY, lambda: [features(1)]) is None
    assert len(said) == 2


# ------------------------------------------------------------------------------------- no place to write


def test_a_cache_that_cannot_be_written_is_told_once(kept: TokenCache, said: list[str], cache: Path) -> None:
    (cache / "tokens").write_text("a file where the folder should be")
    assert kept.keep(KEY, lambda: [features(1)]) is None
    assert kept.keep(KEY, pytest.fail) is None
    assert len(said) == 1
    assert "cannot be kept" in said[0]
    assert str(tokens_folder()) in said[0]


@pytest.mark.parametrize("limit", [100_000, 1_000_000])
def test_a_full_disk_is_told_and_leaves_nothing(cache: Path, limit: int) -> None:
    """While the columns grow, and while the file is written. A limit on the size of files stands in for the disk."""
    program = (
        "import resource, signal, sys\n"
        "import numpy as np\n"
        "from supertune.contracts import Features\n"
        "from supertune.data import TokenCache\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)\n"
        "count = np.arange(20_001)\n"
        "tokens = {'input_ids': count.repeat(10)[10:].astype('int32')}\n"
        "piece = Features(tokens, count * 10, {}, count[1:], count[1:])\n"
        "print(TokenCache(print).keep('ab', lambda: [piece]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(limit)], capture_output=True, text=True, timeout=120)
    line, none = done.stdout.splitlines()
    assert "cannot be kept" in line
    assert "file too large" in line
    assert (none, done.stderr) == ("None", "")
    assert names() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError])
def test_what_stops_the_tokenising_is_not_the_cache_s_business(
    kept: TokenCache, said: list[str], error: type[BaseException]
) -> None:
    def stopped() -> Iterator[Features]:
        yield features(1)
        raise error

    with pytest.raises(error):
        kept.keep(KEY, stopped)
    assert said == []
    assert names() == []
    assert kept.keep(KEY, lambda: [features(1)]) is not None


def test_a_killed_process_leaves_nothing() -> None:
    program = (
        "import os, signal, numpy as np\n"
        "from supertune.contracts import Features\n"
        "from supertune.data import TokenCache\n"
        "one = np.arange(2)\n"
        "def pieces():\n"
        "    yield Features({'input_ids': one[:1]}, one, {}, one[:1], one[:1])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "TokenCache(print).keep('ab', pieces)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert names() == []


def test_several_processes_may_write_the_same(kept: TokenCache) -> None:
    program = (
        "import numpy as np\n"
        "from supertune.contracts import Features\n"
        "from supertune.data import TokenCache\n"
        "count = np.arange(3001)\n"
        "one = Features({'input_ids': count[1:].astype('int32')}, count, {}, count[1:], count[1:])\n"
        "for _ in range(20):\n"
        "    assert len(TokenCache(exit).keep('ab', lambda: [one])) == 3000\n"
        "    assert len(TokenCache(exit).find('ab')) == 3000\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert names() == ["ab.arrow"]


# --------------------------------------------------------------------------------------------- tidying


def test_the_least_recently_used_goes_first(kept: TokenCache, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, key in enumerate(("new", "old", "older", "oldest")):
        kept.keep(key, lambda: [features(1000)])
        os.utime(file_of(key), (time.time() - 100 * age,) * 2)
    assert kept.find("older") is not None
    size = file_of("new").stat().st_size
    monkeypatch.setattr(token_cache, "TOKEN_CACHE_BYTES", int(3.5 * size))
    kept.keep("newest", lambda: [features(1000)])
    assert names() == ["new.arrow", "newest.arrow", "older.arrow"]
    monkeypatch.setattr(token_cache, "TOKEN_CACHE_BYTES", 0)
    assert kept.keep("last", lambda: [features(1000)]) is not None
    assert names() == ["last.arrow"]


def test_parts_of_killed_processes_are_removed_after_a_day(kept: TokenCache) -> None:
    tokens_folder().mkdir(parents=True)
    for name, age in ((".old.arrow.1.partial", 2 * 24 * 3600), (".young.arrow.2.partial", 60)):
        (tokens_folder() / name).write_bytes(b"x")
        os.utime(tokens_folder() / name, (time.time() - age,) * 2)
    kept.keep(KEY, lambda: [features(1)])
    assert names() == [".young.arrow.2.partial", file_of().name]


# ----------------------------------------------------------------------------------------- fingerprints


def of_rows(*rows: dict[str, object], columns: tuple[str, ...] = ("text",)) -> str:
    return texts_fingerprint(Table.from_rows(rows), columns)[0]


def test_texts_alone_are_fingerprinted() -> None:
    known = of_rows({"text": "好", "label": 1}, {"text": None, "label": 2})
    assert of_rows({"text": "好", "label": 2, "note": "x"}, {"text": None}) == known
    assert of_rows({"body": "好"}, {"body": None}, columns=("body",)) == known
    others = [
        of_rows({"text": "好"}, {"text": ""}),
        of_rows({"text": None}, {"text": "好"}),
        of_rows({"text": "好"}),
        of_rows({"text": "好"}, {"text": None}, {"text": None}),
        of_rows({"text": "好", "body": "x"}, {"text": None}, columns=("text", "body")),
        of_rows({"text": "好", "body": "x"}, {"text": None}, columns=("body", "text")),
        of_rows({"text": '好", "'}, {"text": None}),
    ]
    assert len({known, *others}) == len(others) + 1


def test_the_fingerprint_does_not_depend_on_how_arrow_stores_texts() -> None:
    texts = ["好", None, "", "a, b", "😀" * 9]
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    arrays = [pa.array(texts, kind) for kind in kinds]
    arrays.append(pa.chunked_array([["x", "好"], [None, "", "a, b"], [], ["😀" * 9]]).slice(1))
    tables = [Table.from_arrow(pa.table({"text": array}), source="rows") for array in arrays]
    assert len({texts_fingerprint(table, ("text",)) for table in tables}) == 1
    assert texts_fingerprint(tables[0], ("text",))[1] == sum(len(text or "") for text in texts)


def test_the_fingerprint_of_lists_tells_every_difference() -> None:
    said = [
        [{"role": "user", "content": "好"}],
        [{"role": "user", "content": "好 "}],
        [{"content": "好", "role": "user"}],
        [],
        None,
        '[{"role": "user", "content": "好"}]',
    ]
    assert len({of_rows({"text": value}, {"text": None}) for value in said}) == len(said)
    rows = [[{"text": each} for each in said[:5]], [{"text": each} for each in said[4::-1]]]
    assert of_rows(*rows[0]) != of_rows(*rows[1])
    assert of_rows(*rows[0]) == of_rows(*rows[0])


def test_the_fingerprint_does_not_depend_on_where_the_rows_are(storage: str, tmp_path: Path) -> None:
    texts = [f"text {row}, 文本" for row in range(20_000)]
    path = tmp_path / "rows.csv"
    path.write_text("label,text\n" + "".join(f'{row},"{text}"\n' for row, text in enumerate(texts)), encoding="utf-8")
    table = read(path)
    found, characters = texts_fingerprint(table, ("text",))
    assert found == of_rows(*({"text": text} for text in texts))
    assert sum(map(len, texts)) <= characters < 1.5 * sum(map(len, texts))
    odd = table.select(np.arange(1, 20_000, 2), step="odd")
    assert texts_fingerprint(odd, ("text",))[0] == of_rows(*({"text": text} for text in texts[1::2]))
