"""Bad inputs, second half: configurations, options, models, runs, and places that are full or closed."""

from __future__ import annotations

import json
from pathlib import Path

from bad_inputs import (
    OTHER_ROWS,
    ROWS,
    Case,
    Materials,
    Prepare,
    copy_model,
    copy_run,
    csv,
    cut_off,
    lacking,
    with_file,
    with_keys,
)

_ROWS = {"rows.csv": ROWS}
_TRAIN = "train rows.csv --model {tiny} --set train.precision=fp32"


def _config(name: str, content: str | bytes, *says: str) -> Case:
    return Case(f"config-{name}", "train config.yaml", ("config.yaml", *says), {"config.yaml": content, **_ROWS})


def _option(name: str, arguments: str, *says: str) -> Case:
    return Case(f"option-{name}", f"train rows.csv {arguments}", says, _ROWS)


CONFIGS = (
    _config("unknown-key", "data:\n  source: rows.csv\ntrain:\n  epoch: 3\n", ":4", "'train.epoch'", "'train.epochs'"),
    _config("unknown-section", "data:\n  source: rows.csv\ntrian:\n  epochs: 3\n", ":3", "'trian'", "'train'"),
    _config("wrong-type", "data:\n  source: rows.csv\ntrain:\n  epochs: many\n", ":4", "train.epochs", "many"),
    _config("section-is-a-number", "train: 3\n", ":1", "train", "3"),
    _config("bad-yaml", "data:\n  source: [rows.csv\ntrain:\n", "not valid YAML"),
    _config("key-twice", "train:\n  epochs: 3\n  seed: 1\n  epochs: 4\n", ":4", "'train.epochs'", "line 2"),
    _config("not-utf8", "data:\n  source: Größe.csv\n".encode("latin-1"), "UTF-8"),
    _config("empty", "", "no sections"),
    _config("list", "- rows.csv\n", "no sections"),
    _config("number-as-key", "data:\n  source: rows.csv\n  3: 4\n", "3", "strings"),
    _config("date-as-value", "train:\n  epochs: 2020-01-01\n", ":2", "train.epochs", "2020-01-01"),
    Case("config-missing", "train config.yaml", ("config.yaml", "check the path")),
    _option("set-without-equals", "--set train.epochs", "'train.epochs'", "key=value"),
    _option("set-unknown-key", "--set train.epoch=3", "'train.epoch'", "'train.epochs'"),
    _option("set-wrong-value", "--set train.epochs=-3", "train.epochs", "-3"),
    _option("set-section-only", "--set train=3", "'train'", "train.seed"),
    _option("set-bad-yaml", "--set data.split=[0.8,", "data.split", "[0.8,"),
    _option("set-too-deep", "--set train.epochs.x=3", "train.epochs.x"),
    _option("split-of-two", "--set data.split=[0.8,0.2]", "data.split"),
    _option("split-sums-to-two", "--set data.split=[0.8,0.8,0.4]", "data.split", "0.8"),
    _option("metric-unknown", "--model {tiny} --set evaluate.metric=f2_macro", "evaluate.metric", "'f2_macro'"),
    _option("allow-unknown", "--allow leekage", "'leekage'", "leakage"),
    _option("bad-row-unknown", "--on-bad-row ignore", "ignore", "skip"),
    _option("task-unknown", "--task clustering", "clustering", "classification"),
    _option("strategy-unknown", "--strategy lorra", "lorra", "full", "lora"),
    _option("strategy-setting-of-another", "--set strategy.rank=4", "strategy.rank", "lora"),
    _option(
        "zero-shot-of-no-label", '--strategy zero-shot --set strategy.descriptions={{"x":"y"}}', "'x'", "strategy.desc"
    ),
    _option("zero-shot-without-place", "--strategy zero-shot --set strategy.template=about", "strategy.template", "{}"),
    Case("zero-shot-without-labels", "zero-shot hello", ("labels", "0 labels", "refund")),
    Case("zero-shot-label-of-digits", "zero-shot --labels 1,2 hello", ("labels", "'1'", "mean")),
    Case("zero-shot-label-twice", "zero-shot --labels a,b,a hello", ("labels", "'a'", "twice")),
    Case("zero-shot-labels-file-missing", "zero-shot --labels labels.yaml hello", ("labels.yaml", "check the path")),
    Case(
        "zero-shot-labels-of-numbers",
        "zero-shot --labels labels.json hello",
        ("labels", "3 is no text"),
        {"labels.json": '{"a": "x", "b": 3}'},
    ),
    Case(
        "zero-shot-labels-not-utf8",
        "zero-shot --labels labels.yaml hello",
        ("labels.yaml", "UTF-8"),
        {"labels.yaml": "退款: 要退钱\n物流: 没送到\n".encode("gb18030")},
    ),
    Case("zero-shot-labels-no-yaml", "zero-shot --labels [a,b hello", ("--labels", "'[a,b'")),
    Case("zero-shot-template", "zero-shot --labels cat,dog --template x hello", ("template", "'x'", "{}")),
    _option("strategy-layers-too-many", "--model {tiny} --strategy partial --set strategy.layers=9", "strategy.layers"),
    _option("seed-negative", "--seed -1", "--seed", "0"),
    _option("seed-of-letters", "--seed abc", "--seed", "integer"),
    _option("unknown", "--epochs 3", "--epochs"),
    _option("max-length-3", "--set model.max_length=3", "model.max_length", "3"),
    _option("device-without-gpu", "--model {tiny} --set train.device=cuda:7", "train.device", "'cuda:7'"),
    Case("fail-on-unknown", "check rows.csv --fail-on fatal", ("'fatal'", "warning"), _ROWS),
    Case("demo-language-unknown", "demo --lang fr", ("'fr'", "zh")),
    Case("command-unknown", "trian rows.csv", ("trian",), _ROWS),
    Case("data-not-named", "train", ("DATA",)),
)


def _model(name: str, says: tuple[str, ...], prepare: object = None, **more: object) -> Case:
    arguments = more.pop("arguments", "--model model")
    return Case(f"model-{name}", f"train rows.csv {arguments}", says, _ROWS, prepare, **more)  # type: ignore[arg-type]


def _model_with(**values: object) -> Prepare:
    return with_keys(copy_model, "config.json", **values)


def _task_with(**values: object) -> Prepare:
    return with_keys(copy_run, "model/supertune.json", **values)


def _pickle_only(folder: Path, materials: Materials) -> None:
    weights = copy_model(folder, materials) / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))


def _adapter(folder: Path, materials: Materials) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "adapter_config.json").write_text('{"base_model_name_or_path": "bert-base-chinese"}')


def _empty_gguf(folder: Path, _: Materials) -> None:
    (folder / "empty.gguf").write_bytes(b"")


def _smaller_embeddings(folder: Path, materials: Materials) -> None:
    """Weights for 40 tokens, below a tokenizer of more."""
    from safetensors.numpy import load_file, save_file

    model = copy_model(folder, materials)
    state = load_file(model / "model.safetensors")
    state["embeddings.word_embeddings.weight"] = state["embeddings.word_embeddings.weight"][:40].copy()
    save_file(state, model / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((model / "config.json").read_bytes())
    (model / "config.json").write_text(json.dumps({**config, "vocab_size": 40}))


def _decoder(folder: Path, materials: Materials) -> None:
    """A language model with a tokenizer that has no padding token."""
    from transformers import GPT2Config, GPT2LMHeadModel

    model = copy_model(folder, materials)
    for name in ("model.safetensors", "config.json"):
        (model / name).unlink()
    GPT2LMHeadModel(
        GPT2Config(vocab_size=99, n_positions=64, n_embd=8, n_layer=1, n_head=2, bos_token_id=None, eos_token_id=None)
    ).save_pretrained(model)
    settings = json.loads((model / "tokenizer_config.json").read_bytes())
    settings.pop("pad_token")
    (model / "tokenizer_config.json").write_text(json.dumps(settings))


_HUB = {"arguments": "--model owner/name"}
MODELS = (
    _model("misspelt", ("minilmm", "'minilm'"), arguments="--model minilmm"),
    _model("path-missing", ("./model", "no such folder"), arguments="--model ./model"),
    _model("hub-refuses", ("owner/name", "cannot be reached", "minilm"), **_HUB),
    _model("hub-silent", ("owner/name", "cannot be reached"), **_HUB, environment={"HF_ENDPOINT": "{silent}"}),
    _model("hub-forbidden", ("owner/name", "offline"), **_HUB, environment={"HF_HUB_OFFLINE": "1"}),
    _model("is-a-file", ("rows.csv", "folder"), arguments="--model rows.csv"),
    _model("folder-empty", ("model", "config.json"), lambda folder, _: (folder / "model").mkdir()),
    _model("without-config", ("model", "config.json"), lacking(copy_model, "config.json")),
    _model("config-broken", ("config.json", "JSON"), with_file(copy_model, "config.json", "{oops")),
    _model("type-unknown", ("config.json", "'berd'", "'bert'"), _model_with(model_type="berd")),
    _model("pickle-only", ("pytorch_model.bin", "model.allow_pickle"), _pickle_only),
    _model("weights-missing", ("model", "model.safetensors"), lacking(copy_model, "model.safetensors")),
    _model("weights-cut-off", ("model.safetensors", "cut off"), cut_off(copy_model, "model.safetensors")),
    _model("weights-of-another", ("model", "config.json"), _model_with(hidden_size=32)),
    _model("config-invalid-value", ("model",), _model_with(hidden_size="big")),
    _model("with-code", ("config.json", "auto_map"), _model_with(auto_map={"AutoModel": "x.Y"})),
    _model("adapter", ("model", "adapter", "bert-base-chinese"), _adapter),
    _model("without-tokenizer", ("model", "tokenizer.json"), lacking(copy_model, "tokenizer.json")),
    _model("tokenizer-broken", ("model", "tokenizer"), with_file(copy_model, "tokenizer.json", '{"model": 3}')),
    _model("tokenizer-of-another", ("model", "tokenizer", "40"), _smaller_embeddings),
    _model("decoder-without-padding", ("model", "pad"), _decoder),
    _model("gguf-of-nothing", ("empty.gguf", "GGUF"), _empty_gguf, arguments="--model empty.gguf"),
    _model("is-a-run", ("run", "model"), arguments="--model {run}"),
    _model("too-short", ("1024", "512", "model.max_length"), arguments="--model {tiny} --set model.max_length=1024"),
)

_PREDICT = "predict run Hello"
_NO_LABELS = {"new.csv": "text\nHello\nyou\n"}
_HALF_UTF8 = b"fine\n" + "坏\n".encode("gb18030")
_OTHERS = {"new.csv": OTHER_ROWS}
RUNS = (
    Case("run-misspelt", "predict rum Hello", ("rum", "run"), prepare=copy_run),
    Case("run-is-no-run", "predict folder Hello", ("folder", "manifest.json"), {"folder/notes.txt": "hello"}),
    Case("run-is-a-file", "evaluate new.csv new.csv", ("new.csv", "run folder"), _OTHERS),
    Case("run-model-folder", "predict {run}/model Hello", ("run/model", "did you mean")),
    Case("run-manifest-broken", _PREDICT, ("manifest.json", "JSON"), prepare=with_file(copy_run, "manifest.json", "{")),
    Case("run-manifest-list", _PREDICT, ("manifest.json",), prepare=with_file(copy_run, "manifest.json", "[]")),
    Case(
        "run-newer",
        _PREDICT,
        ("manifest.json", "99", "upgrade"),
        prepare=with_keys(copy_run, "manifest.json", format=99),
    ),
    Case("run-config-missing", _PREDICT, ("config.yaml",), prepare=lacking(copy_run, "config.yaml")),
    Case("run-model-missing", _PREDICT, ("run", "no model"), prepare=lacking(copy_run, "model")),
    Case("run-weights-cut-off", _PREDICT, ("model.safetensors",), prepare=cut_off(copy_run, "model/model.safetensors")),
    Case("run-task-broken", _PREDICT, ("supertune.json",), prepare=with_file(copy_run, "model/supertune.json", "{}x")),
    Case(
        "run-task-damaged",
        _PREDICT,
        ("supertune.json",),
        prepare=_task_with(state={"text": 3}),
    ),
    Case(
        "run-labels-lost",
        _PREDICT,
        ("run/model", "classifier"),
        prepare=_task_with(state={"text": ["text"], "label": "label", "labels": ["a"]}),
    ),
    Case("run-task-newer", _PREDICT, ("supertune.json",), prepare=_task_with(format=99)),
    Case("run-task-missing", _PREDICT, ("supertune.json",), prepare=lacking(copy_run, "model/supertune.json")),
    Case("show-metrics-broken", "show run", ("metrics.json",), prepare=with_file(copy_run, "metrics.json", '{"a": 1}')),
    Case("show-run-missing", "show nowhere", ("nowhere",)),
    Case("runs-folder-missing", "runs nowhere", ("nowhere",)),
    Case("runs-of-a-file", "runs rows.csv", ("rows.csv",), _ROWS),
    Case("predict-text-and-file", "predict {run} Hello --file new.csv", ("--file",), _OTHERS),
    Case(
        "predict-column-missing",
        "predict {run} --file new.csv",
        ("new.csv", "'text'", "'body'"),
        {"new.csv": csv("good", "bad", header="body,label")},
    ),
    Case("predict-file-missing", "predict {run} --file nwe.csv", ("nwe.csv", "new.csv"), _OTHERS),
    Case("predict-stdin-not-utf8", "predict {run}", ("standard input", "line 2"), stdin=_HALF_UTF8),
    Case("predict-stdin-empty", "predict {run}", ("standard input", "nothing")),
    Case("predict-out-is-a-folder", "predict {run} Hello --out out", ("out",), {"out/mine.txt": "mine"}),
    Case("predict-out-is-the-input", "predict {run} --file new.csv --out new.csv", ("new.csv", "exists"), _OTHERS),
    Case("evaluate-label-unknown", "evaluate {run} new.csv", ("new.csv", "'ugly'"), {"new.csv": csv("good", "ugly")}),
    Case("evaluate-without-labels", "evaluate {run} new.csv", ("new.csv", "'label'"), _NO_LABELS),
    Case("evaluate-out-exists", "evaluate {run} new.csv --out new.csv", ("new.csv", "exists"), _OTHERS),
)


def _full(folder: Path, materials: Materials) -> None:
    with (folder / "disk" / "filler").open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 1024):
                pass
        except OSError:
            return


def _closed(folder: Path, materials: Materials) -> None:
    (folder / "rows.csv").chmod(0o600)


_NO_CACHE = {"SUPERTUNE_CACHE": "/dev/null/cache"}
PLACES = (
    Case("out-not-empty", f"{_TRAIN} --out out", ("out", "not empty"), {**_ROWS, "out/mine.txt": "mine"}),
    Case("out-is-a-file", f"{_TRAIN} --out rows.csv", ("rows.csv", "is a file"), _ROWS),
    Case("out-below-a-file", f"{_TRAIN} --out rows.csv/out", ("rows.csv/out",), _ROWS),
    Case("out-name-too-long", f"{_TRAIN} --out {'x' * 300}", ("xxx", "shorter"), _ROWS),
    Case("out-not-allowed", f"{_TRAIN} --out out", ("out", "permission"), _ROWS, nobody=True),
    Case("runs-not-allowed", _TRAIN, ("runs", "permission"), _ROWS, nobody=True),
    Case("data-not-allowed", "check rows.csv", ("rows.csv", "permission"), _ROWS, _closed, nobody=True),
    Case("predict-out-not-allowed", "predict {run} Hello --out out.jsonl", ("out.jsonl", "permission"), nobody=True),
    Case("disk-full-at-once", f"{_TRAIN} --out disk/out", ("disk/out", "space"), _ROWS, _full, disk=64),
    Case(
        "disk-full-on-the-final-save",
        f"{_TRAIN} --set train.epochs=1 --out disk/out",
        ("disk/out/model", "space", "supertune resume disk/out"),
        _ROWS,
        failed="disk/out",
        disk=400,
    ),
    Case("disk-full-predicting", "predict {run} Hello --out disk/new", ("disk/new", "space"), {}, _full, disk=64),
    Case("cache-not-usable", "check rows.csv --model e5-multilingual", ("/dev/null",), _ROWS, environment=_NO_CACHE),
    Case(
        "loss-diverges",
        f"{_TRAIN} --set train.learning_rate=10 --set train.weight_decay=1 --set train.batch_size=1 --out out",
        ("train.learning_rate = 10", "step"),
        _ROWS,
        failed="out",
    ),
)

CASES = (*CONFIGS, *MODELS, *RUNS, *PLACES)
