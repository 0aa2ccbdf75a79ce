from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from supertune import models
from supertune.errors import MissingExtraError, UserError
from supertune.models.folder import max_positions
from tiny_models import CONFIG, write_tiny_model


def _config(folder: Path, **changes: object) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))


def _only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def _shard(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    places = {name: f"model-0000{1 + (index % 2)}-of-00002.safetensors" for index, name in enumerate(names)}
    for shard in set(places.values()):
        save_file({n: state[n] for n in names if places[n] == shard}, folder / shard, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def _missing_shard(folder: Path) -> None:
    _shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def _escaping_shard(folder: Path) -> None:
    _shard(folder)
    index = {"weight_map": {"embeddings.LayerNorm.bias": "../../elsewhere.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _bad_index(folder: Path) -> None:
    _shard(folder)
    (folder / "model.safetensors.index.json").write_bytes(b"[]")


def _adapter(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')


def _run(folder: Path) -> None:
    write_tiny_model(folder / "model")
    (folder / "config.json").unlink()
    (folder / "manifest.json").write_text("{}")


def _run_with_adapter(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    (folder / "config.json").unlink()
    (folder / "manifest.json").write_text("{}")


def _nested(folder: Path) -> None:
    write_tiny_model(folder / "0_Transformer")
    (folder / "config.json").unlink()


def _write(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def _remove(name: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        (folder / name).unlink()

    return remove


REFUSED: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("pickle only", _only_pickle, "pytorch_model.bin, a pickle file: opening one can run code", "allow_pickle"),
    ("other pickle", lambda f: (f / "model.safetensors").rename(f / "best.ckpt"), "best.ckpt, a pickle", "convert it"),
    (
        "remote code",
        lambda f: _config(f, auto_map={"AutoModel": "m.M"}),
        "config.json: names code",
        "trust_remote_code",
    ),
    (
        "remote tokenizer code",
        _write("tokenizer_config.json", b'{"auto_map": {"AutoTokenizer": ["t.T", null]}}'),
        "tokenizer_config.json: names code",
        "trust_remote_code",
    ),
    ("cut off", _cut, "model.safetensors: is damaged or cut off", "again"),
    ("not safetensors", _write("model.safetensors", b"\x80\x04pickled"), "is damaged or cut off", "again"),
    ("empty file", _write("model.safetensors", b""), "is damaged or cut off", "again"),
    ("no tensors", lambda f: save_file({}, f / "model.safetensors"), "holds no weights", "again"),
    (
        "lfs pointer",
        _write("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
        "is a Git LFS pointer",
        "git lfs pull",
    ),
    ("no weights", _remove("model.safetensors"), "has no model.safetensors", "copy"),
    ("other name", lambda f: (f / "model.safetensors").rename(f / "w.safetensors"), "only w.safetensors", "rename"),
    ("missing shard", _missing_shard, "'model-00002-of-00002.safetensors' is missing", "add"),
    ("escaping shard", _escaping_shard, "points outside its folder", "trust"),
    ("bad index", _bad_index, "JSON object", "again"),
    ("no tokenizer", _remove("tokenizer.json"), "has no tokenizer", "copy"),
    ("no config", _remove("config.json"), "has no config.json", "config.json"),
    ("broken config", _write("config.json", b'{"model_type": '), "config.json: is not valid JSON", "again"),
    ("config of bytes", _write("config.json", b"\xff\xfe\x00"), "config.json: is not valid JSON", "again"),
    ("no model type", _write("config.json", b"{}"), "has no 'model_type'", "bert"),
    ("unknown type", lambda f: _config(f, model_type="berd"), "'berd' is not known", "'bert'"),
    ("adapter", _adapter, "PEFT adapter for the model 'owner/base'", "merge"),
    ("run", _run, "is a run, not a model", "tiny/model"),
    ("run-with-adapter", _run_with_adapter, "what it has learned is an adapter", "supertune merge"),
    ("nested", _nested, "has no config.json", "0_Transformer"),
]


@pytest.mark.parametrize(
    ("damage", "says", "advises"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_folder_is_refused_with_the_reason(
    damage: Callable[[Path], object], says: str, advises: str, tiny: Path
) -> None:
    damage(tiny)
    with pytest.raises(UserError) as caught:
        models.resolve(str(tiny))
    assert says in str(caught.value)
    assert advises in str(caught.value.fix)
    assert str(tiny) in str(caught.value.where)


def test_gguf_is_explained(tmp_path: Path) -> None:
    (tmp_path / "model.q4.gguf").write_bytes(b"GGUF")
    with pytest.raises(UserError, match="GGUF weights"):
        models.resolve(str(tmp_path))


def test_file_is_not_a_folder(tiny: Path) -> None:
    with pytest.raises(UserError, match="is a file, not a model folder"):
        models.resolve(str(tiny / "model.safetensors"))


def test_whole_folder_is_described(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiny / "README.md").write_text("---\nlanguage: zh\nlicense: apache-2.0\n---\n# A model\n", encoding="utf-8")
    monkeypatch.chdir(tiny.parent)
    source = models.resolve("tiny")
    assert (source.name, source.origin, source.license, source.max_positions) == ("tiny", "folder", "apache-2.0", 16)
    assert source.folder == tiny.resolve()
    assert str(tiny.resolve()) in source.provenance
    assert source.sha256 == hashlib.sha256((tiny / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "readme", ["# no header", "---\nlicense: [\n---\n", "---\ntext\n---\n", "---\nlanguage: en\n---\n"]
)
def test_license_that_is_not_said_is_unknown(readme: str, tiny: Path) -> None:
    (tiny / "README.md").write_text(readme)
    assert models.resolve(str(tiny)).license == "unknown"


def test_a_folder_named_like_a_registered_model_needs_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(tmp_path / "gemma-270m")
    monkeypatch.chdir(tmp_path)
    assert models.resolve("./gemma-270m").origin == "folder"
    # Without packages the registered one is not to be had, and is not confused with the folder.
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(MissingExtraError, match="gemma3-270m"):
        models.resolve("gemma-270m")


def test_shards_are_as_good_as_one_file(tiny: Path) -> None:
    from transformers import AutoModel

    whole = models.resolve(str(tiny))
    with models.quiet_loading(whole):
        expected = AutoModel.from_pretrained(tiny).state_dict()
    _shard(tiny)
    source = models.resolve(str(tiny))
    with models.quiet_loading(source):
        found, info = AutoModel.from_pretrained(tiny, output_loading_info=True)
    models.check_body_loaded(info, ("pooler",), where="tiny")
    assert all(expected[name].equal(values) for name, values in found.state_dict().items() if "pooler" not in name)

    shards = sorted(tiny.glob("*.safetensors"))
    lines = "".join(f"{hashlib.sha256(shard.read_bytes()).hexdigest()}  {shard.name}\n" for shard in shards)
    assert source.sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_digest_follows_the_content(tiny: Path) -> None:
    before = models.weights_digest(tiny)
    state = load_file(tiny / "model.safetensors")
    state["embeddings.LayerNorm.bias"][0] += 1
    save_file(state, tiny / "model.safetensors", metadata={"format": "pt"})
    assert models.weights_digest(tiny) != before
    with pytest.raises(UserError, match=r"holds no model\.safetensors"):
        models.weights_digest(tiny.parent)


def test_pickle_is_read_when_asked_for(tiny: Path) -> None:
    import torch
    from transformers import AutoModel

    state = load_file(tiny / "model.safetensors")
    (tiny / "model.safetensors").unlink()
    torch.save({name: torch.from_numpy(values) for name, values in state.items()}, tiny / "pytorch_model.bin")
    source = models.resolve(str(tiny), allow_pickle=True)
    assert source.allow_pickle
    with models.quiet_loading(source):
        model = AutoModel.from_pretrained(source.folder)
    assert (model.state_dict()["embeddings.LayerNorm.bias"].numpy() == state["embeddings.LayerNorm.bias"]).all()


def test_pickle_that_transformers_does_not_look_for_stays_refused(tiny: Path) -> None:
    (tiny / "model.safetensors").rename(tiny / "best.pt")
    with pytest.raises(UserError, match=r"only best\.pt"):
        models.resolve(str(tiny), allow_pickle=True)


def test_remote_code_is_accepted_when_asked_for(tiny: Path) -> None:
    _config(tiny, model_type="custom", auto_map={"AutoModel": "modeling.Custom"})
    source = models.resolve(str(tiny), trust_remote_code=True)
    assert source.trust_remote_code


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, 512),
        ({"model_type": "longformer", "max_position_embeddings": 4098, "pad_token_id": 1}, 4096),
        ({"model_type": "gpt2", "n_positions": 1024}, 1024),
        ({"model_type": "gemma3", "text_config": {"max_position_embeddings": 32768}}, 32768),
        ({"model_type": "xlnet"}, 131_072),
    ],
)
def test_positions_that_a_text_can_use(config: dict[str, object], expected: int) -> None:
    assert max_positions(config) == expected
