"""A GGUF file becomes a plain folder whose model and tokenizer are the ones in the file; other files are refused."""

from __future__ import annotations

import contextlib
import json
import shutil
import struct
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune import models
from supertune.contracts import Head
from supertune.errors import UserError
from supertune.models import gguf_file
from supertune.models.gguf_rope import llama3_factors
from tiny_gguf import decoder, needs_gguf, write_gguf

pytestmark = needs_gguf
IDS = [[5, 9, 200, 33, 7, 2, 1, 260]]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor(IDS)).logits


def opened(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return model.eval()


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
@pytest.mark.parametrize("tied", [True, False])
def test_plain_transformers_opens_the_same_model(kind: str, tied: bool, tmp_path: Path) -> None:
    import torch

    original = decoder(kind, tied=tied)
    source = models.resolve(str(write_gguf(tmp_path / "m.gguf", original, kind)))
    model = opened(source.folder)
    torch.testing.assert_close(logits(model), logits(original), atol=1e-5, rtol=1e-5)
    assert model.config.tie_word_embeddings is tied
    assert (model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()) is tied
    assert (source.origin, source.license, source.max_positions) == ("folder", "MIT", 128)
    assert source.sha256 == models.weights_digest(source.folder)
    assert "m.gguf (F32)" in source.provenance
    ids = model.generation_config
    assert (ids.bos_token_id, ids.eos_token_id, ids.pad_token_id) == (1, 2, 0)
    assert not hasattr(model.config, "quantization_config")
    with_head = models.load_with_head(source, Head("AutoModelForCausalLM", {}), pad_token_id=0)
    assert torch.equal(logits(with_head), logits(model))


@pytest.mark.parametrize(("packed", "stored"), [("Q5_0", "bfloat16"), ("BF16", "bfloat16"), ("F16", "float32")])
def test_packed_weights_are_the_numbers_that_they_stand_for(packed: str, stored: str, tmp_path: Path) -> None:
    import torch
    from gguf import GGMLQuantizationType, dequantize, quantize

    original = decoder("qwen2")
    source = models.resolve(str(write_gguf(tmp_path / "m.gguf", original, "qwen2", packed=packed)))
    found = dict(opened(source.folder).named_parameters())
    form = GGMLQuantizationType[packed]
    for name, parameter in original.named_parameters():
        values = parameter.detach().numpy()
        expected = dequantize(quantize(values, form), form) if values.ndim > 1 else values
        assert torch.equal(found[name], torch.tensor(expected).to(getattr(torch, stored))), name
    assert f"F32, {packed}" in source.provenance or f"{packed}, F32" in source.provenance
    assert f"stored as {stored}" in source.provenance
    assert packed in (source.folder / "README.md").read_text()


def test_the_tokenizer_is_the_one_that_transformers_makes(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    write_gguf(tmp_path / "m.gguf", decoder("qwen2"), "qwen2")
    source = models.resolve(str(tmp_path / "m.gguf"))
    mine = AutoTokenizer.from_pretrained(source.folder)
    other = AutoTokenizer.from_pretrained(tmp_path, gguf_file="m.gguf")
    assert (mine.pad_token_id, mine.bos_token_id, mine.eos_token_id) == (0, 1, 2)
    assert mine.model_max_length == 128
    assert mine.apply_chat_template([{"role": "user", "content": "hello"}], tokenize=False) == "hello<eos>"
    raw = PreTrainedTokenizerFast(tokenizer_file=str(source.folder / "tokenizer.json"))
    texts = ("hello world 你好😀", "<eos><bos>", "", " \n\t ", "\x00é", "<pad>", "e\u0301")
    for text in texts:
        # Qwen2's own tokenizer composes characters first, of which the file says nothing.
        assert mine(text)["input_ids"] == other(unicodedata.normalize("NFC", text))["input_ids"]
        assert raw(text)["input_ids"] == mine(text)["input_ids"]

    @settings(max_examples=200)
    @given(st.text())
    def same(text: str) -> None:
        text = unicodedata.normalize("NFC", text)
        ids = mine(text)["input_ids"]
        assert ids == other(text)["input_ids"]
        assert mine.decode(ids) == other.decode(ids) == text

    same()


def test_splits_are_one_model_whichever_is_named(tmp_path: Path) -> None:
    original = decoder("qwen2")
    whole = models.resolve(str(write_gguf(tmp_path / "whole.gguf", original, "qwen2")))
    write_gguf(tmp_path / "m.gguf", original, "qwen2", splits=9)
    files = sorted(tmp_path.glob("m-*.gguf"))
    assert len(files) > 2
    sources = [models.resolve(str(file)) for file in files]
    assert len({source.folder for source in sources}) == 1
    assert {source.sha256 for source in sources} == {whole.sha256}
    assert f"{len(files)} files" in sources[0].provenance
    files[1].rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="1 are missing") as caught:
        models.resolve(str(files[0]))
    assert files[1].name in str(caught.value)


def test_splits_of_another_model_are_noticed(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", decoder("qwen2"), "qwen2", splits=9)
    files = sorted(tmp_path.glob("m-*.gguf"))
    shutil.copyfile(files[0], files[-1])
    with pytest.raises(UserError, match="but its files hold"):
        models.resolve(str(files[0]))


def test_it_is_imported_once_under_any_name_and_again_when_damaged(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", decoder("qwen2"), "qwen2")
    first = models.resolve(str(path))
    before = (first.folder / "model.safetensors").stat().st_mtime_ns
    assert models.resolve(str(path)).folder == first.folder
    assert (first.folder / "model.safetensors").stat().st_mtime_ns == before
    (first.folder / "config.json").write_text("{}")
    again = models.resolve(str(path))
    assert again == first
    assert (first.folder / "model.safetensors").stat().st_mtime_ns > before
    assert sorted(entry.name for entry in first.folder.parent.iterdir()) == sorted(
        [first.folder.name, f".{first.folder.name}.lock"]
    )
    listed = json.loads((first.folder / "manifest.json").read_text())
    assert set(listed["files"]) == {entry.name for entry in first.folder.iterdir()} - {"manifest.json"}
    other = models.resolve(str(write_gguf(tmp_path / "n.gguf", decoder("qwen2", tied=False), "qwen2")))
    assert other.folder != first.folder


def test_a_tokenizer_beside_the_file_is_not_taken_for_its_own(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    (tmp_path / "config.json").write_text("{}")
    models.resolve(str(write_gguf(tmp_path / "m.gguf", decoder("qwen2"), "qwen2")))


def test_stretched_positions_are_carried_over(tmp_path: Path) -> None:
    import torch

    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    rope |= {"original_max_position_embeddings": 8192, "rope_theta": 500_000.0}
    original = decoder("llama", rope_parameters=rope)
    factors = llama3_factors(500_000.0, 16, 8.0).astype(np.float32)
    plain = 1 / 500_000.0 ** (np.arange(0, 16, 2) / 16)
    np.testing.assert_allclose(plain / original.model.rotary_emb.inv_freq.numpy(), factors, rtol=1e-5)
    path = write_gguf(tmp_path / "m.gguf", original, "llama", more={"rope_freqs.weight": factors})
    model = opened(models.resolve(str(path)).folder)
    assert model.config.rope_parameters["rope_type"] == "llama3"
    torch.testing.assert_close(logits(model), logits(original), atol=1e-5, rtol=1e-5)
    odd = write_gguf(tmp_path / "odd.gguf", original, "llama", more={"rope_freqs.weight": factors[::-1].copy()})
    with pytest.raises(UserError, match="stretches positions"):
        models.resolve(str(odd))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "m.gguf", decoder("qwen2"), "qwen2").read_bytes()


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"", "does not begin with 'GGUF'"),
        (b"GGML" + bytes(100), "does not begin with 'GGUF'"),
        (b"PK\x03\x04", "does not begin with 'GGUF'"),
        (b"GGUF", "cut off"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60), "cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "architecture ''"),
    ],
)
def test_other_files_are_refused(start: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(start)
    with pytest.raises(UserError, match=said) as caught:
        models.resolve(str(tmp_path / "m.gguf"))
    assert "m.gguf" in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(share: float, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match="is cut off"):
        models.resolve(str(tmp_path / "m.gguf"))


@settings(max_examples=300)
@given(place=st.integers(4, 8000), value=st.integers(0, 255))
def test_no_damaged_header_is_a_crash(place: int, value: int, whole: bytes, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("damaged") / "m.gguf"
    path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
    with contextlib.suppress(UserError):
        read = gguf_file.read_header(path)
        assert all(tensor.start + tensor.size <= len(whole) for tensor in read.tensors)


def test_an_architecture_that_transformers_does_not_read_is_named(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(whole.replace(b"qwen2", b"qwenX"))
    with pytest.raises(UserError, match="'qwenX', which transformers") as caught:
        models.resolve(str(tmp_path / "m.gguf"))
    assert "gemma3" in str(caught.value.fix)


def test_a_folder_of_gguf_files_says_which_to_name(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.gguf").write_bytes(whole)
    with pytest.raises(UserError, match="name the file") as caught:
        models.resolve(str(tmp_path / "models"))
    assert str(tmp_path / "models" / "m.gguf") in str(caught.value.fix)


@pytest.mark.parametrize(
    ("entry", "value"), [("embedding_length", 63), ("attention.head_count", 3), ("block_count", 3)]
)
def test_a_header_that_contradicts_the_weights_is_refused(entry: str, value: int, whole: bytes, tmp_path: Path) -> None:
    key = f"qwen2.{entry}".encode() + struct.pack("<I", 4)
    place = whole.index(key) + len(key)
    (tmp_path / "m.gguf").write_bytes(whole[:place] + struct.pack("<I", value) + whole[place + 4 :])
    with pytest.raises(UserError, match=r"m\.gguf"):
        models.resolve(str(tmp_path / "m.gguf"))
    assert not [entry for entry in (tmp_path / "cache" / "models").iterdir() if entry.suffix != ".lock"]
