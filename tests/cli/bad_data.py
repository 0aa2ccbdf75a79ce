"""Bad inputs, first half: files, columns, labels, and what the gate stops."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

from bad_inputs import OTHER_ROWS, ROWS, Case, Materials, csv, text


def _zip_of_nothing() -> bytes:
    stream = io.BytesIO()
    zipfile.ZipFile(stream, "w").close()
    return stream.getvalue()


def _jsonl(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _half_a_parquet_file(folder: Path, materials: Materials) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / "rows.parquet"
    parquet.write_table(pa.table({"text": [text(i) for i in range(60)], "label": ["good", "bad"] * 30}), path)
    path.write_bytes(path.read_bytes()[:-100])


def _workbook(folder: Path, materials: Materials) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "Daten"
    book.active.append(("text", "label"))
    book.active.append(("good", "yes"))
    book.save(folder / "rows.xlsx")


FILES = (
    Case("file-misspelt", "train rosw.csv", ("rosw.csv", "rows.csv"), {"rows.csv": ROWS}),
    Case("file-in-missing-folder", "check nowhere/rows.csv", ("nowhere/rows.csv", "no folder")),
    Case("file-to-inspect-missing", "inspect rows.csv --model {tiny}", ("rows.csv", "no such file")),
    Case("folder-without-data", "train empty", ("empty",), prepare=lambda folder, _: (folder / "empty").mkdir()),
    Case("folder-of-pictures", "train rows", ("rows", "<label>/*.txt"), {"rows/a/1.png": b"\x89PNG\r\n"}),
    Case("empty-file", "train rows.csv", ("rows.csv", "empty"), {"rows.csv": ""}),
    Case("header-only", "train rows.csv", ("rows.csv", "no rows"), {"rows.csv": "text,label\n"}),
    Case("no-header", "train rows.csv", ("rows.csv", "line 1"), {"rows.csv": ROWS.partition("\n")[2]}),
    Case("picture-as-csv", "train rows.csv", ("rows.csv", "PNG"), {"rows.csv": b"\x89PNG\r\n\x1a\n" + b"\0\1" * 99}),
    Case("control-bytes", "train rows.csv", ("rows.csv", "control bytes"), {"rows.csv": bytes(range(9)) * 99}),
    Case("ragged-rows", "train rows.csv", ("rows.csv", "line 4"), {"rows.csv": csv("good", "bad", "good,x", "bad")}),
    Case("unclosed-quote", "train rows.csv", ("rows.csv", "quote"), {"rows.csv": csv("good", 'bad\n"oh no', "bad")}),
    Case("duplicate-header", "train rows.csv", ("rows.csv", "'text'"), {"rows.csv": csv("a", "b", header="text,text")}),
    Case("nameless-column", "train rows.csv", ("rows.csv", "column 2"), {"rows.csv": csv("a", "b", header="text,")}),
    Case("json-cut-off", "train rows.json", ("rows.json",), {"rows.json": '[{"text": "a", "label": 1}, {"text": "b'}),
    Case("json-scalar", "train rows.json", ("rows.json",), {"rows.json": "42"}),
    Case("jsonl-bad-line", "train rows.jsonl", ("rows.jsonl", "line 2"), {"rows.jsonl": '{"text": "a"}\n{oops\n'}),
    Case(
        "jsonl-nan",
        "train rows.jsonl",
        ("rows.jsonl", "line 1", "NaN"),
        {"rows.jsonl": '{"text": "a", "label": NaN}\n' + _jsonl({"text": "b", "label": 1})},
    ),
    Case("jsonl-of-arrays", "train rows.jsonl", ("rows.jsonl", "line 1"), {"rows.jsonl": '["a", "good"]\n' * 9}),
    Case(
        "jsonl-mixed-types",
        "train rows.jsonl",
        ("rows.jsonl", "'label'"),
        {"rows.jsonl": _jsonl({"text": "a", "label": 1}, {"text": "b", "label": "one"})},
    ),
    Case("parquet-cut-off", "train rows.parquet", ("rows.parquet",), prepare=_half_a_parquet_file),
    Case("xlsx-zip-of-nothing", "train rows.xlsx", ("rows.xlsx",), {"rows.xlsx": _zip_of_nothing()}),
    Case("xlsx-missing-sheet", "train rows.xlsx --sheet Data", ("'Data'", "'Daten'"), prepare=_workbook),
    Case("sheet-of-a-csv-file", "train rows.csv --sheet Data", ("rows.csv", "'Data'"), {"rows.csv": ROWS}),
    Case("gzip-cut-off", "train rows.csv.gz", ("rows.csv.gz",), {"rows.csv.gz": gzip.compress(ROWS.encode())[:200]}),
    Case("unknown-extension", "train rows.dat", ("rows.dat", "'.dat'"), {"rows.dat": "some words\nand more\n"}),
    Case(
        "utf8-mark-and-other-bytes",
        "train rows.csv",
        ("rows.csv", "line 62", "0xFC"),
        {"rows.csv": b"\xef\xbb\xbf" + ROWS.encode() + "hübsch größer,bad\n".encode("latin-1")},
    ),
    Case("utf16-odd-bytes", "train rows.csv", ("rows.csv", "UTF-16"), {"rows.csv": ROWS.encode("utf-16") + b"\n"}),
    Case("address-as-data", "train https://example.org/rows.csv", ("https://example.org/rows.csv", "download")),
    Case("hub-data-without-a-hub", "train owner/data", ("owner/data", "cannot be reached")),
)

COLUMNS = (
    Case("text-column-misspelt", "train rows.csv --text txet", ("rows.csv", "'txet'", "'text'"), {"rows.csv": ROWS}),
    Case("label-column-unknown", "train rows.csv --label 类别", ("rows.csv", "'类别'", "'label'"), {"rows.csv": ROWS}),
    Case("one-column-for-both", "train rows.csv --text text --label text", ("rows.csv", "'text'"), {"rows.csv": ROWS}),
    Case(
        "label-not-clear",
        "train rows.csv",
        ("rows.csv", "'mood'", "'shape'", "--label"),
        {"rows.csv": csv(*("good,food", "bad,room") * 30, header="text,mood,shape")},
    ),
    Case("text-of-numbers", "train rows.csv --text n", ("'n'",), {"rows.csv": csv(*"0101" * 9, header="text,n")}),
    Case(
        "label-of-fractions",
        "train rows.csv",
        ("rows.csv", "'label'", "0.25"),
        {"rows.csv": csv(*("0.25", "0.75") * 30)},
    ),
    Case(
        "label-never-repeats",
        "train rows.csv",
        ("rows.csv", "'label'", "60"),
        {"rows.csv": csv(*(f"id{i}" for i in range(60)))},
    ),
    Case(
        "label-of-lists",
        "train rows.jsonl --label label",
        ("rows.jsonl", "'label'"),
        {"rows.jsonl": _jsonl(*({"text": text(i), "label": ["good", "bad"]} for i in range(60)))},
    ),
    Case("labels-all-missing", "train rows.csv", ("rows.csv", "'label'"), {"rows.csv": csv(*[""] * 60)}),
    Case(
        "texts-all-blank",
        "train rows.csv --model {tiny}",
        ("rows.csv", "'text'"),
        {"rows.csv": "text,label\n" + '"　 ",good\n"  ",bad\n' * 30},
    ),
    Case("two-rows", "train rows.csv", ("rows.csv", "2 rows"), {"rows.csv": csv("good", "bad")}),
    Case(
        "validation-without-the-column",
        "train rows.csv --validation dev.csv",
        ("dev.csv", "'label'", "'class'"),
        {"rows.csv": ROWS, "dev.csv": csv("good", "bad", header="text,class")},
    ),
    Case("test-file-missing", "train rows.csv --test tset.csv", ("tset.csv",), {"rows.csv": ROWS}),
)

_GATED = "train rows.csv --model {tiny} --out out"
GATE = (
    Case("gate-one-class", _GATED, ("rare-classes", '"good"'), {"rows.csv": csv(*["good"] * 60)}, code=3, failed="out"),
    Case(
        "gate-class-of-one-row",
        _GATED,
        ("rare-classes", '"odd" (1)'),
        {"rows.csv": csv(*("good", "bad") * 30, "odd")},
        code=3,
        failed="out",
    ),
    Case(
        "gate-contradictions",
        _GATED,
        ("label-conflicts", "gate.json"),
        {"rows.csv": ROWS + csv(*("bad", "good") * 30).partition("\n")[2]},
        code=3,
        failed="out",
    ),
    Case(
        "gate-leakage",
        f"{_GATED} --test test.csv",
        ("leakage", "test"),
        {"rows.csv": ROWS, "test.csv": ROWS},
        code=3,
        failed="out",
    ),
    Case(
        "label-only-in-test",
        f"{_GATED} --test test.csv",
        ("test.csv", "row 30", "'ugly'"),
        {"rows.csv": ROWS, "test.csv": OTHER_ROWS + f"{text(999)},ugly\n"},
    ),
)

_NUMBERS = "train rows.csv --model {tiny} --task regression --label label"
NUMBERS = (
    Case("numbers-that-are-words", _NUMBERS, ("rows.csv", "'label'", "not numbers"), {"rows.csv": ROWS}),
    Case(
        "one-word-among-numbers",
        _NUMBERS,
        ("row 20", "'good'", "'label'"),
        {"rows.csv": csv(*(str(i % 7) for i in range(20)), "good", *(str(i % 7) for i in range(20)))},
    ),
    Case("the-same-number-everywhere", _NUMBERS, ("'label'", "nothing to learn"), {"rows.csv": csv(*["3.5"] * 60)}),
    Case(
        "two-labels-for-classes",
        "train rows.csv --label label --label text",
        ("label, text", "--task regression"),
        {"rows.csv": ROWS},
    ),
    Case("a-pair-with-one-side", "train rows.csv --pair --text text", ("a pair has two",), {"rows.csv": ROWS}),
    Case("loss-of-classes", f"{_NUMBERS} --set train.loss=focal", ("train.loss", "'focal'", "mse"), {"rows.csv": ROWS}),
    Case("unknown-task", "train rows.csv --task regresion", ("regresion", "regression"), {"rows.csv": ROWS}),
)

_TAGGED = "train rows.jsonl --task tagging --model {tiny}"


def _tagged(**changed: object) -> dict[str, str | bytes]:
    """Rows of entities, of which the eighth is changed."""
    rows = [{"text": f"Ann met Bob {row}", "entities": [[0, 3, "PER"], [8, 11, "PER"]]} for row in range(20)]
    rows[7] |= changed
    return {"rows.jsonl": _jsonl(*rows)}


TAGS = (
    Case(
        "entity-beyond-the-text",
        _TAGGED,
        ("rows.jsonl", "'entities'", "row 7", "8 to 99", "13", "count characters from 0"),
        _tagged(entities=[[8, 99, "PER"]]),
    ),
    Case("entity-without-label", _TAGGED, ("row 7", "without a label"), _tagged(entities=[{"start": 0, "end": 3}])),
    Case(
        "entities-that-overlap",
        f"{_TAGGED} --out out",
        ("entities", "overlap", "gate.json"),
        {"rows.jsonl": _jsonl(*({"text": f"Ann Lee {row}", "spans": [[0, 7, "A"], [4, 7, "B"]]} for row in range(20)))},
        code=3,
        failed="out",
    ),
    Case(
        "more-tags-than-tokens",
        "train rows.conll.jsonl --task tagging --model {tiny}",
        ("row 0", "3 tags for 2 tokens"),
        {"rows.conll.jsonl": _jsonl(*({"tokens": ["Ann", str(i)], "tags": ["B-PER", "O", "O"]} for i in range(20)))},
    ),
    Case(
        "tags-that-are-numbers",
        _TAGGED,
        ("row 0", "data.tag_names"),
        {"rows.jsonl": _jsonl(*({"tokens": ["Ann", str(i)], "ner_tags": [1, 0]} for i in range(20)))},
    ),
    Case(
        "token-without-tag",
        "train rows.conll --task tagging",
        ("line 2", "'left'"),
        {"rows.conll": "Ann B-PER\nleft\n"},
    ),
    Case(
        "classes-for-entities", "train rows.csv --task tagging", ("rows.csv", "entities", "--label"), {"rows.csv": ROWS}
    ),
)

CASES = (*FILES, *COLUMNS, *GATE, *NUMBERS, *TAGS)
