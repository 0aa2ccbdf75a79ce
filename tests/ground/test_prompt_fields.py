"""Prompts: fields are filled, empty lines vanish, braces stay, and what is no field is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.errors import UserError
from supertune.prompts import as_text, escaped, field_of, prompt_of

COLUMNS = ("document", "问题", "a.b", "pair")


@pytest.mark.parametrize(
    ("prompt", "row", "filled"),
    [
        ("Summarize: {document}", {"document": "A cat 🐱.\nIt sleeps."}, "Summarize: A cat 🐱.\nIt sleeps."),
        ("请回答：{问题}", {"问题": "谁？"}, "请回答：谁？"),
        ("{document}", {"document": "  as it stands \n"}, "  as it stands \n"),
        ("{document}\n{问题}", {"document": "Add.", "问题": ""}, "Add."),
        ("{document}\n{问题}", {"document": None, "问题": "谁？"}, "谁？"),
        ("{document}\n\n{问题}\n\nAnswer:", {"document": "D", "问题": None}, "D\n\nAnswer:"),
        ("{document}\n\nQ: {问题}", {"document": "D", "问题": "\u200b"}, "D"),
        ("{document}, {问题}", {"document": "D", "问题": None}, "D, "),
        ("Say {{it}}: {document}", {"document": "{x}"}, "Say {it}: {x}"),
        ("{a.b} {pair.en}", {"a.b": 3, "pair": {"en": "Hi"}}, "3 Hi"),
        ("{pair.en.x}|{document}", {"pair": {"en": "Hi"}, "document": "D"}, "|D"),
        ("{document}", {}, ""),
    ],
)
def test_a_prompt_is_filled_with_what_a_row_has(prompt: str, row: dict[str, Any], filled: str) -> None:
    assert prompt_of(prompt, COLUMNS).filled(row) == filled


@pytest.mark.parametrize(
    ("prompt", "what", "fix"),
    [
        ("Summarize {Dokument}", "has the field {Dokument}, and there is no column 'Dokument'", "{document}"),
        ("Summarize {pair.en} {par.en}", "no column 'par.en'", "columns are 'document'"),
        ("Summarize.", "has no {column}", "{document}"),
        ("Summarize {document", "a brace that is alone: 'Summarize {document'", "{{"),
        ("}{document}", "a brace that is alone", "{{"),
        ("{}", "has the field {}", "columns are"),
    ],
)
def test_what_is_no_field_is_told(prompt: str, what: str, fix: str) -> None:
    with pytest.raises(UserError) as caught:
        prompt_of(prompt, COLUMNS)
    assert what in caught.value.what
    assert caught.value.fix
    assert fix in caught.value.fix
    assert caught.value.where == "task.prompt"


@given(st.text(), st.text(min_size=1))
def test_text_with_its_braces_escaped_stands_as_it_is(text: str, value: str) -> None:
    prompt = prompt_of(f"{escaped(text)}{{document}}.", COLUMNS)
    assert prompt.filled({"document": f"x{value}"}) == f"{text}x{value}."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("3", "3"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (None, ""), (float("nan"), ""), (True, "true"), (" \u3000", ""),
        (["one", None, "二"], "one\n二"), ({"k": "值"}, '{"k": "值"}'), ([1, "a"], '[1, "a"]'), ([], ""),
    ],
)  # fmt: skip
def test_values_as_a_prompt_has_them(value: object, text: str) -> None:
    assert as_text(value) == text


def test_a_field_is_a_column_before_it_is_a_key_in_one() -> None:
    place = field_of("a.b", ("a", "a.b"))
    assert place is not None
    assert (place.column, place.keys) == ("a.b", ())
    assert field_of("a.b.c", ("a",)).value({"a": {"b": {"c": 1}}}) == 1  # type: ignore[union-attr]
    assert field_of("b", ("a",)) is None
