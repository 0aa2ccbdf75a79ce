"""Files of entities: CoNLL's, the hub's and tools' JSON are read, and their columns found and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from supertune.contracts import Columns
from supertune.data import Table, infer_columns, read, split_table
from supertune.entity_spans import tagged_of
from supertune.errors import UserError

Write = Callable[[str, str | bytes], Path]
ENGLISH = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
German JJ B-NP B-MISC
call NN I-NP O

-DOCSTART- -X- -X- O

Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER
"""
CHINESE = "李 B-PER\n明 E-PER\n在 O\n北 B-LOC\n京 E-LOC\n\n好 O\n"


def found(table: Table, **options: Any) -> tuple[Columns, list[list[tuple[str, str]]]]:
    columns = infer_columns(table, answers="spans", **options)
    rows = tagged_of(table, columns)
    return columns, [[(row.text[one.start : one.end], str(one.label)) for one in row.entities or ()] for row in rows]


@pytest.mark.parametrize("name", ["train.conll", "train.bio", "train.txt", "eng.train"])
def test_conll_files_are_read_whatever_they_are_called(name: str, write: Write) -> None:
    table = read(str(write(name, ENGLISH)))
    columns, entities = found(table)
    assert columns.text == ("tokens",)
    assert columns.labels == ("tags",)
    assert entities == [[("EU", "ORG"), ("German", "MISC")], [("Peter Blackburn", "PER")]]
    assert table.column("document") == [0, 1]
    assert any("tagged tokens" in note for note in table.notes)
    assert any("IOB2" in told for told in columns.announcements)


@pytest.mark.parametrize("separator", [" ", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_character_on_each_line(separator: str, ends: str, write: Write) -> None:
    text = CHINESE.replace(" ", separator).replace("\n", ends)
    table = read(str(write("zh.bmes", "\ufeff" + text)))
    columns, entities = found(table)
    assert list(table.texts(columns.text)) == ["李明在北京", "好"]
    assert entities == [[("李明", "PER"), ("北京", "LOC")], []]


def test_comments_and_tokens_that_look_like_them(write: Write) -> None:
    text = "# id 5239d808 domain=train\n# _ _ O\nAnn _ _ B-PER\n\n# id 2\nhome _ _ O\n"
    table = read(str(write("multi.conll", text)))
    assert table.column("tokens") == [["#", "Ann"], ["home"]]


def test_a_line_without_a_tag_is_told_with_its_line(write: Write) -> None:
    path = write("bad.conll", "Ann B-PER\nleft\n\nBob B-PER\n")
    with pytest.raises(UserError, match="row 0 \\(line 1\\): line 2 has 'left' without a tag"):
        read(str(path))
    assert len(read(str(path), on_bad_row="skip")) == 1


def test_an_ordinary_table_is_not_taken_for_tagged_tokens(write: Write) -> None:
    rows = "".join(f"a film\tgood {row}\nO\tB\n" for row in range(9))
    assert read(str(write("rows.tsv", f"text\tlabel\n{rows}"))).column_names == ("text", "label")


def test_the_hubs_numbers_get_their_names(tmp_path: Path) -> None:
    tags = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(tags)})
    rows = {"tokens": [["Ann", "Lee", "left"], ["home"]], "ner_tags": [[1, 2, 0], [0]]}
    dataset = datasets.Dataset.from_dict(rows, features=features)
    dataset.to_parquet(tmp_path / "rows.parquet")
    for table in (read(dataset), read(str(tmp_path / "rows.parquet"))):
        columns, entities = found(table)
        assert columns.labels == ("ner_tags",)
        assert entities == [[("Ann Lee", "PER")], []]
        assert any("class numbers are read as their names" in note for note in table.notes)


def rows_of(**columns: Any) -> Table:
    return Table.from_rows([dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)])


def test_columns_are_found_by_their_names_and_by_what_is_in_them() -> None:
    texts = ["Ann left for Leeds.", "Bob is in Rome now."]
    spans = [[[0, 3, "PER"]], [[0, 3, "PER"], [10, 14, "LOC"]]]
    columns, entities = found(rows_of(id=[1, 2], text=texts, label=spans, Comments=[[], []]))
    assert (columns.text, columns.labels) == (("text",), ("label",))
    assert entities[1] == [("Bob", "PER"), ("Rome", "LOC")]
    tokens = [["Ann", "left"], ["Bob", "is"]]
    columns, _ = found(
        rows_of(tokens=tokens, pos_tags=[[1, 2], [1, 2]], ner_tags=[[1, 0], [0, 0]]), tag_names=["O", "B-PER"]
    )
    assert (columns.text, columns.labels) == (("tokens",), ("ner_tags",))
    # Prodigy lists the tokens of a text beside it.
    listed = [[{"text": "Ann", "start": 0, "end": 3, "id": 0}]] * 2
    columns, _ = found(rows_of(text=texts, tokens=listed, spans=spans))
    assert (columns.text, columns.labels) == (("text",), ("spans",))
    columns, _ = found(rows_of(文本=["李明来了吗", "北京很大啊"], 实体=[[[0, 2, "人"]], [[0, 2, "地"]]]))
    assert (columns.text, columns.labels) == (("文本",), ("实体",))
    columns, _ = found(rows_of(sentence=["Ann left", "Bob is"], words=["B-PER O", "B-PER O"]), label="words")
    assert (columns.text, columns.labels) == (("sentence",), ("words",))


@pytest.mark.parametrize(
    ("columns", "options", "says"),
    [
        ({"text": ["a film", "the film"], "mood": ["good", "bad"]}, {}, "no column looks like entities"),
        ({"text": ["a film", "the film"], "n": [1, 2]}, {"label": "n"}, "holds integers"),
        ({"text": [1, 2], "spans": [[[0, 1, "X"]]] * 2}, {"text": "text"}, "holds integers"),
        ({"a": ["a film", "no"], "b": ["x y", "z"]}, {"text": ["a", "b"]}, "entities stand in one text"),
        ({"text": ["ab", "cd"], "x": [[[0, 1, "X"]]] * 2, "z": [[[0, 1, "X"]]] * 2}, {}, "several columns could be"),
    ],
)
def test_what_is_not_clear_is_asked(columns: dict[str, Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        infer_columns(rows_of(**columns), answers="spans", **options)
    assert caught.value.fix


def test_splits_are_divided_by_the_rarest_label() -> None:
    texts = [f"Ann met {name} here." for name in map(str, range(100, 160))]
    spans = [[[0, 3, "PER"], *([[8, 11, "RARE"]] if row % 6 == 0 else [])] for row in range(60)]
    table = rows_of(text=texts, entities=spans)
    columns = infer_columns(table, answers="spans")
    parts = split_table(table, columns, fractions=(0.6, 0.2, 0.2), seed=0)
    rare = {
        split: sum(one.label == "RARE" for row in tagged_of(part, columns) for one in row.entities or ())
        for split, part in parts.items()
    }
    assert rare == {"train": 6, "validation": 2, "test": 2}
