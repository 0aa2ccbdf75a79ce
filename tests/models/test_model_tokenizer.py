from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from supertune import models
from supertune.errors import UserError
from tiny_models import needs_minilm


@needs_minilm
def test_nothing_is_cut_or_padded_unless_told() -> None:
    source = models.resolve("minilm")
    raw = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
    assert len(raw.encode("hi").ids) == 128, "the published file pads: the reason for this test"

    tokenizer = models.load_tokenizer(source, max_length=64)
    assert tokenizer.backend_tokenizer.truncation is None
    assert tokenizer.backend_tokenizer.padding is None
    assert tokenizer("hi")["input_ids"] == tokenizer.backend_tokenizer.encode("hi").ids == [101, 7632, 102]
    assert len(tokenizer("hello " * 300)["input_ids"]) == 302
    assert len(tokenizer("hello " * 300, truncation=True)["input_ids"]) == 64


@needs_minilm
def test_saved_copy_keeps_the_length_and_does_not_cut_on_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tokenizer = models.load_tokenizer(models.resolve("minilm"), max_length=64)
    tokenizer(["hello " * 300, "hi"], truncation=True, padding=True, max_length=32)
    models.save_tokenizer(tokenizer, tmp_path)
    reloaded = AutoTokenizer.from_pretrained(tmp_path)
    assert reloaded.model_max_length == 64
    assert reloaded.backend_tokenizer.truncation is None
    assert reloaded.backend_tokenizer.padding is None
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("hi").ids == [101, 7632, 102]
    for text in ("hi", "Grüße, 退货 👍", "hello " * 300):
        assert reloaded(text, truncation=True)["input_ids"] == tokenizer(text, truncation=True)["input_ids"]
    assert capfd.readouterr().err == ""


def test_default_length_is_what_the_model_can_take(tiny: Path) -> None:
    source = models.resolve(str(tiny))
    assert models.default_max_length(source) == 16
    assert models.default_max_length(replace(source, max_positions=8192)) == 256


def test_longer_than_the_model_can_take_is_refused(tiny: Path) -> None:
    with pytest.raises(UserError, match="17 tokens are more than") as caught:
        models.load_tokenizer(models.resolve(str(tiny)), max_length=17)
    assert caught.value.where == "model.max_length"
    assert "at most 16" in str(caught.value.fix)


@pytest.mark.parametrize("content", ["{}", "not json", '{"model": {"type": "Unheard"}}'])
def test_damaged_tokenizer_is_named(content: str, tiny: Path) -> None:
    (tiny / "tokenizer.json").write_text(content)
    source = models.resolve(str(tiny))
    with pytest.raises(UserError, match="has a tokenizer that cannot be opened") as caught:
        models.load_tokenizer(source, max_length=16)
    assert str(tiny) in str(caught.value.where)


def test_chinese_words_of_a_folder_are_found(tiny: Path) -> None:
    tokenizer = models.load_tokenizer(models.resolve(str(tiny)), max_length=16)
    assert tokenizer("good 好")["input_ids"] == [4, 6]
