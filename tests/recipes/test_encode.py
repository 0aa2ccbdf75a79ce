"""Texts are tokenised once: the second time their tokens come from the cache, and are the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from supertune.contracts import Columns, Features
from supertune.data import Table, TokenCache, tokens_folder
from supertune.errors import UserError
from supertune.recipes import encode
from supertune.recipes.encode import encode_labelled, labelled_only
from supertune.tasks import UNLABELLED, ClassificationTask

COLUMNS = Columns(text=("text",), labels=("label",))
TEXTS = [f"the film is {'not ' * (row % 7)}good，很好 {row % 50}" for row in range(2500)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(encode, "CACHED_CHARACTERS", 10_000)


@pytest.fixture
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_encoder)


def rows(texts: list[str], labels: tuple[str | None, ...] = ("a", "b")) -> Table:
    given = itertools.cycle(labels)
    return Table.from_rows([{"text": text, "label": next(given)} for text in texts], source="rows.csv")


def task(*labels: str) -> ClassificationTask:
    return ClassificationTask(COLUMNS, labels=labels or ("a", "b"))


class Encoding:
    """Encodes, and remembers what was told."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.said: list[str] = []
        self.progress: list[int] = []
        self.cache = TokenCache(self.said.append)

    def __call__(self, table: Table, learned: ClassificationTask | None = None, max_length: int = 12) -> Features:
        self.progress.clear()
        return encode_labelled(
            learned or task(), table, self.tokenizer, max_length, cache=self.cache, progress=self.progress.append
        )


@pytest.fixture
def encoding(tokenizer: PreTrainedTokenizerBase) -> Encoding:
    return Encoding(tokenizer)


def files() -> list[str]:
    return sorted(path.name for path in tokens_folder().iterdir()) if tokens_folder().exists() else []


def equal(first: Features, second: Features) -> bool:
    arrays = [
        [*each.tokens.values(), each.offsets, *each.targets.values(), each.rows, each.full_lengths]
        for each in (first, second)
    ]
    assert first.tokens.keys() == second.tokens.keys()
    assert first.targets.keys() == second.targets.keys()
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(*arrays, strict=True))


def test_the_second_time_nothing_is_tokenised(encoding: Encoding) -> None:
    wanted = task().encode(rows(TEXTS), encoding.tokenizer, 12)
    assert equal(encoding(rows(TEXTS)), wanted)
    assert encoding.progress == [1024, 2048, 2500]
    again = encoding(rows(TEXTS))
    assert encoding.progress == []
    assert equal(again, wanted)
    assert (again.full_lengths > again.lengths).any(), "some texts are cut"
    assert len(files()) == 1
    assert encoding.said == []


def test_labels_are_not_kept(encoding: Encoding) -> None:
    encoding(rows(TEXTS))
    found = encoding(rows(TEXTS, ("c", "b", None)), task("b", "c"))
    assert found.targets["labels"][:6].tolist() == [1, 0, UNLABELLED] * 2
    assert encoding(Table.from_rows([{"text": text} for text in TEXTS])).targets == {}
    assert len(files()) == 1


def test_a_few_short_texts_are_not_kept(encoding: Encoding) -> None:
    encoding(rows(TEXTS[:100]))
    assert files() == []


def test_whatever_changes_the_tokens_changes_the_key(encoding: Encoding) -> None:
    tables = [rows(TEXTS), rows([*TEXTS[:-1], "other"]), rows(TEXTS[::-1]), rows(TEXTS).select(range(2000), step="x")]
    found = [encoding(table) for table in tables]
    found.append(encoding(tables[0], max_length=13))
    encoding.tokenizer.truncation_side = "left"
    found.append(encoding(tables[0]))
    encoding.tokenizer.truncation_side = "right"
    assert len(files()) == len(found) == 6
    for table, features in zip(tables, found, strict=False):
        assert equal(features, task().encode(table, encoding.tokenizer, 12))
    encoding.tokenizer.add_tokens(["good，"])
    assert not np.array_equal(encoding(tables[0]).tokens["input_ids"], found[0].tokens["input_ids"])


def test_what_a_call_leaves_in_the_tokenizer_does_not_matter(encoding: Encoding) -> None:
    encoding(rows(TEXTS))
    encoding.tokenizer(["good"], truncation=True, padding="max_length", max_length=5)
    encoding(rows(TEXTS))
    assert len(files()) == 1


def test_two_text_columns(encoding: Encoding) -> None:
    """The same texts as one column, or split elsewhere, are other texts."""
    both = ClassificationTask(Columns(text=("title", "text")))
    halves = [Table.from_rows([{"title": text[:cut], "text": text[cut:]} for text in TEXTS]) for cut in (8, 12)]
    found = [encoding(table, both) for table in (*halves, *halves)]
    assert len(files()) == 2
    for table, features in zip((*halves, *halves), found, strict=True):
        assert equal(features, both.encode(table, encoding.tokenizer, 12))


def test_damaged_tokens_are_made_anew(encoding: Encoding) -> None:
    wanted = encoding(rows(TEXTS))
    path = tokens_folder() / files()[0]
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:5000] + b"\xff" + content[5001:])
    assert equal(encoding(rows(TEXTS)), wanted)
    assert len(encoding.said) == 1
    assert encoding.progress[-1] == 2500
    encoding(rows(TEXTS))
    assert encoding.progress == []


def test_without_a_cache_everything_works(encoding: Encoding) -> None:
    tokens_folder().parent.mkdir()
    tokens_folder().write_text("in the way")
    for _ in range(2):
        assert equal(encoding(rows(TEXTS)), task().encode(rows(TEXTS), encoding.tokenizer, 12))
        assert encoding.progress == [1024, 2048, 2500]
    assert len(encoding.said) == 1


def test_an_unknown_label_is_told_before_anything_is_tokenised(encoding: Encoding) -> None:
    with pytest.raises(UserError) as caught:
        encoding(rows(TEXTS, ("a", "b", "a", "b", "oops")))
    assert caught.value.where == "rows.csv, column 'label'"
    assert "row 4" in caught.value.what
    assert encoding.progress == []
    assert files() == []


def test_rows_without_a_label_are_left_out_and_nothing_else_is_copied(encoding: Encoding) -> None:
    features = {"train": encoding(rows(TEXTS)), "test": encoding(rows(TEXTS, ("a", None, "b")))}
    found = labelled_only(task(), features)
    assert found["train"] is features["train"]
    kept = np.flatnonzero(np.arange(len(TEXTS)) % 3 != 1)
    assert found["test"].rows.tolist() == kept.tolist()
    assert found["test"].targets["labels"].tolist() == [0 if row % 3 == 0 else 1 for row in kept]
