"""Texts that a model writes, from rows to the saved run and back."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import supertune
from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Outcome
from supertune.data import token_cache
from supertune.errors import InterruptedRunError, UserError
from supertune.evaluate import measure
from supertune.recipes import encode, train_one
from supertune.recipes.estimate import dry_run
from tiny_decoders import TINY, face_rows, sentences, write_tiny_decoder

FACES = ("chat", "summarization", "translation", "generative-qa")
LOUD = {"evaluate__baselines": True, "evaluate__language": "en"}
KNOWN = {"data.allow": ["leakage", "contamination", "exact-duplicates", "label-conflicts"]}
"""The rows that are learned are those that are asked for."""


def written(rows: list[dict[str, Any]], folder: Path) -> str:
    path = folder / f"{len(list(folder.iterdir()))}.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return str(path)


def fit(
    rows: list[dict[str, Any]], folder: Path, model: Path, face: str = "chat", strategy: str = "full", **settings: Any
) -> supertune.Run:
    """A run on some rows, all of which are asked for again."""
    folder.mkdir(exist_ok=True)
    known = written(rows, folder)
    values = {**TINY, **KNOWN, "evaluate.baselines": False, **{k.replace("__", "."): v for k, v in settings.items()}}
    return supertune.fit(
        rows, task=face, model=str(model), strategy=strategy, out=folder / "run", validation=known, test=known,
        settings=values,
    )  # fmt: skip


def stored(run: supertune.Run, split: str = "test") -> list[dict[str, Any]]:
    lines = (run.path / f"predictions/{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def weights(run: supertune.Run) -> dict[str, Any]:
    from safetensors.torch import load_file

    (path,) = (run.path / "model").glob("*.safetensors")
    return dict(load_file(path))


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, tiny_decoder: Path) -> supertune.Run:
    """Translations learned by heart, measured with everything there is beside."""
    folder = tmp_path_factory.mktemp("known")
    return fit(face_rows("translation"), folder, tiny_decoder, "translation", train__epochs=40, **LOUD)


def test_what_was_learned_by_heart_is_written_exactly(known: supertune.Run) -> None:
    rows = stored(known)
    assert [row["prediction"] for row in rows] == [answer for _, answer in sentences(50)]
    assert {row["ended"] for row in rows} == {"stop"}
    assert [row["row"] for row in rows] == list(range(50))
    scores = known.metrics["test"]
    assert scores["exact_match"].value == scores["chrf"].value == 1.0
    assert scores["run_on"].value == scores["empty"].value == 0.0
    assert scores["loss_per_token"].value < 0.05
    # What the loss of every row says together is the loss of all.
    counted = [len(answer) for _, answer in sentences(50)]
    assert np.average([row["loss_per_token"] for row in rows], weights=counted) < 0.1
    for row in stored(known, "validation"):
        assert row["prediction"] is None
        assert row["loss_per_token"] < 0.1


def test_it_is_compared_with_the_model_before_training_on_the_same_rows(known: supertune.Run) -> None:
    metrics, manifest = known.metrics, json.loads((known.path / "manifest.json").read_text())
    assert manifest["primary"] == {"split": "test", "metric": "chrf"}
    assert manifest["difference"]["baseline"] == "few_shot"
    assert manifest["difference"]["low"] > 0.5
    for name in ("test_untrained", "test_few_shot"):
        assert metrics[name]["chrf"].n == metrics["test"]["chrf"].n == 50
        assert metrics[name]["chrf"].value < 0.2
    assert metrics["test_untrained"]["bits_per_character"].value > 10 * metrics["test"]["bits_per_character"].value
    assert manifest["reload_check"]["max_difference"] <= 1e-5


def test_what_the_compared_models_wrote_is_kept_and_gives_their_scores(known: supertune.Run) -> None:
    for name in ("untrained", "few_shot"):
        rows = stored(known, f"test_{name}")
        assert [row["row"] for row in rows] == list(range(50))
        assert {row["ended"] for row in rows} <= {"stop", "length"}
        truth, said = np.empty(50, object), np.empty(50, object)
        truth[:], said[:] = [(row["zh"],) for row in rows], [row["prediction"] for row in rows]
        scores = measure(Outcome(truth, said, answers="generated"), ("chrf",)).scores
        assert scores["chrf"].value == known.metrics[f"test_{name}"]["chrf"].value
    # Where it is asked in another way, what people wrote is another cost; the same characters are counted.
    lengths = [len(row["zh"]) for row in rows]
    bits = np.average([row["bits_per_character"] for row in rows], weights=lengths)
    assert bits == pytest.approx(known.metrics["test_few_shot"]["bits_per_character"].value, rel=1e-6)
    assert bits > 1
    own = [row["bits_per_character"] for row in stored(known)]
    assert np.average(own, weights=lengths) == pytest.approx(
        known.metrics["test"]["bits_per_character"].value, rel=1e-6
    )
    assert not (known.path / "predictions/validation_untrained.jsonl").exists()


def test_report_and_card_show_texts_and_how_to_get_more(known: supertune.Run) -> None:
    report = known.report.read_text(encoding="utf-8")
    for said in ("Texts side by side", "the model before training", "good bad", "好坏", "Bits per character", "chrF"):
        assert said in report
    # Rows are compared with the one that is to be beaten, and nobody has to know what a key means.
    assert "a higher chrF than with “before training, shown four examples”" in report
    assert "Texts without an end" in report
    assert not re.search(r">\s*(chrf|run_on|bits_per_character|length_ratio)\s*<", report)
    card = (known.path / "model/README.md").read_text(encoding="utf-8")
    assert "apply_chat_template" in card
    assert "pipeline_tag: text-generation" in card
    became = json.loads((known.path / "rows.json").read_text())
    assert became["train"]["rows"] == became["train"]["items"] == 50
    assert became["train"]["stops"] == {"<eos>": 50}


def test_plain_transformers_opens_it_and_writes_the_same(known: supertune.Run) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = known.path / "model"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    asked = f"Translate the following text into Chinese.\n\n{sentences(1)[0][0]}"
    batch = tokenizer.apply_chat_template(
        [{"role": "user", "content": asked}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    with torch.no_grad():
        # What ends an answer is in its own configuration.
        ids = model.generate(**batch, max_new_tokens=32, do_sample=False)
    assert tokenizer.decode(ids[0, batch["input_ids"].shape[1] :], skip_special_tokens=True) == "好坏"


def test_the_written_configuration_repeats_the_run(known: supertune.Run, tmp_path: Path) -> None:
    from supertune.config import load_config

    sections = load_config(known.path / "config.yaml").model_dump()
    flat = {f"{section}.{key}": value for section, keys in sections.items() for key, value in keys.items()}
    assert flat["task.prompt"] == "Translate the following text into Chinese.\n\n{en}"
    again = supertune.fit(
        face_rows("translation"), out=tmp_path / "again", settings={k: v for k, v in flat.items() if k != "data.source"}
    )
    assert again.metrics == known.metrics
    before, after = weights(known), weights(again)
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "lora"])
@pytest.mark.parametrize("face", FACES)
def test_every_face_is_learned_by_heart(face: str, strategy: str, tmp_path: Path, tiny_decoder: Path) -> None:
    how = {"train__epochs": 150} if strategy == "lora" else {"train__epochs": 60}
    run = fit(face_rows(face), tmp_path, tiny_decoder, face, strategy, **how)
    assert [row["prediction"] for row in stored(run)] == [answer for _, answer in sentences(50)]
    assert json.loads((run.path / "manifest.json").read_text())["reload_check"]["max_difference"] <= 1e-5


def test_plain_texts_are_learned_without_a_template_and_nothing_is_written(tmp_path: Path, tiny_decoder: Path) -> None:
    how = {"train__epochs": 3, "evaluate__baselines": True, "evaluate__language": "en"}
    run = fit(face_rows("text"), tmp_path, tiny_decoder, "text", "lora", **how)
    assert {row["prediction"] for row in stored(run)} == {None}
    scores = run.metrics
    assert scores["test"]["bits_per_character"].value < scores["test_untrained"]["bits_per_character"].value
    assert "chrf" not in scores["test"]
    difference = json.loads((run.path / "manifest.json").read_text())["difference"]
    assert difference["metric"] == "bits_per_character"
    assert difference["high"] < 0
    report = run.report.read_text(encoding="utf-8")
    assert "ahead of the model before training" in report
    assert "### User" not in "".join(row["text"] for row in stored(run))


def test_an_interrupted_run_goes_on_to_the_same_weights(
    tmp_path: Path, tiny_decoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = face_rows("chat", 24)
    whole = fit(rows, tmp_path / "whole", tiny_decoder, "chat", "lora", train__epochs=2, train__checkpoint_every=2)
    steps = train_one._steps

    def interrupted(*arguments: Any) -> Any:
        for event in steps(*arguments):
            yield event
            if event.event == "step" and event.step == 4:
                raise KeyboardInterrupt

    monkeypatch.setattr(train_one, "_steps", interrupted)
    with pytest.raises(InterruptedRunError):
        fit(rows, tmp_path / "cut", tiny_decoder, "chat", "lora", train__epochs=2, train__checkpoint_every=2)
    monkeypatch.undo()
    # In memory rows are gone with the process: the run names a file.
    config = tmp_path / "cut/run/config.yaml"
    told = config.read_text(encoding="utf-8").replace("  source: null", f"  source: {written(rows, tmp_path)}")
    config.write_text(told, encoding="utf-8")
    from supertune.console import Console
    from supertune.recipes.resume import resume

    resumed = resume(tmp_path / "cut/run", console=Console(quiet=True))
    before, after = weights(whole), weights(resumed)
    assert all((before[name] == after[name]).all() for name in before)
    assert resumed.metrics == whole.metrics


def test_tokens_of_many_rows_are_kept_with_what_became_of_the_rows(
    tmp_path: Path, tiny_decoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "CACHED_CHARACTERS", 1)
    rows = [
        *face_rows("chat", 20),
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": ""}]},
    ]
    how = {
        "train__epochs": 1,
        "task__learn": "all",
        "model__max_length": 24,
        "data__allow": [*KNOWN["data.allow"], "empty-answers"],
    }
    first = fit(rows, tmp_path / "first", tiny_decoder, "chat", "lora", **how)
    kept = sorted(token_cache.tokens_folder().glob("*.arrow"))
    second = fit(rows, tmp_path / "second", tiny_decoder, "chat", "lora", **how)
    assert sorted(token_cache.tokens_folder().glob("*.arrow")) == kept
    assert (first.path / "rows.json").read_text() == (second.path / "rows.json").read_text()
    # With another template, the same rows are other tokens.
    plain = {"task__template": "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}"
             "{% if add_generation_prompt %}assistant: {% endif %}"}  # fmt: skip
    fit(rows, tmp_path / "third", tiny_decoder, "chat", "lora", **how, **plain)
    assert len(list(token_cache.tokens_folder().glob("*.arrow"))) > len(kept)


def turns(*contents: str) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[i % 2], "content": content} for i, content in enumerate(contents)]}


@pytest.mark.parametrize(
    ("changes", "rows", "said"),
    [
        ({"model__max_length": 24}, [*face_rows("chat", 20), turns("good", "好" * 60)], "lose part of their answer"),
        ({"task__too_long": "error", "model__max_length": 24}, face_rows("summarization", 9), "longer than 24 tokens"),
        ({"train__r_drop": 1.0}, face_rows("chat", 9), "means nothing where texts are written"),
        ({"train__embeddings": "rows"}, face_rows("chat", 9), "every token of the vocabulary is an answer"),
        ({"train__loss": "focal"}, face_rows("chat", 9), "means nothing for tokens"),
        ({"task__learn": "template"}, face_rows("chat", 9), "no {% generation %} blocks"),
        ({"task__template": "{% for m in messages %}{{ m.content }}{% endfor %}"}, face_rows("chat", 9), "never stop"),
        ({"task__template": "{% if x"}, face_rows("chat", 9), "Jinja"),
        ({"task__template_options": {"depth": 3}}, face_rows("chat", 9), "reads no variable 'depth'"),
        ({"evaluate__metric": "accuracy"}, face_rows("chat", 9), "no metric of"),
        ({"strategy__name": "contrastive"}, face_rows("chat", 9), "gives every text one label"),
        ({}, [{"messages": "nobody"}] * 9, "messages"),
    ],
)
def test_what_cannot_be_learned_as_it_is_is_refused(
    changes: dict[str, Any], rows: list[dict[str, Any]], said: str, tmp_path: Path, tiny_decoder: Path
) -> None:
    face = "summarization" if "document" in rows[0] else "chat"
    with pytest.raises(UserError) as caught:
        fit(rows, tmp_path, tiny_decoder, face, **{"train__epochs": 1, **changes})
    assert said in f"{caught.value.what} {caught.value.fix}"
    assert not (tmp_path / "run").exists()


def test_an_encoder_cannot_write(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(UserError, match=r"choose a decoder|AutoModelForCausalLM|eos_token"):
        fit(face_rows("chat", 9), tmp_path, tiny_encoder, train__epochs=1, model__max_length=64)


def test_texts_are_left_out_on_request(tmp_path: Path, tiny_decoder: Path) -> None:
    run = fit(
        face_rows("translation", 12),
        tmp_path,
        tiny_decoder,
        "translation",
        train__epochs=1,
        evaluate__text=False,
        evaluate__baselines=True,
    )
    predictions = list(run.path.glob("predictions/*.jsonl"))
    assert {"test", "test_untrained", "test_few_shot"} <= {file.stem for file in predictions}
    for file in (run.report, *predictions):
        text = file.read_text(encoding="utf-8")
        assert "good film" not in text
        assert "好电影" not in text
    shutil.rmtree(run.path)


def test_held_out_rows_that_a_template_refuses_are_told_and_do_not_end_the_run(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.role }}: {{ m.content }}{{ eos_token }}"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    model = write_tiny_decoder(tmp_path / "model", template=template)
    rows = face_rows("chat", 12)
    twice = {"role": "user", "content": "good"}
    odd = [*rows[:3], {"messages": [twice, *rows[3]["messages"]]}]
    values = {**TINY, **KNOWN, "evaluate.baselines": False, "train.epochs": 1}
    run = supertune.fit(
        rows, task="chat", model=str(model), strategy="lora", out=tmp_path / "run", test=written(odd, tmp_path),
        settings=values,
    )  # fmt: skip
    assert [row["prediction"] is None for row in stored(run)] == [False, False, False, True]
    assert run.metrics["test"]["chrf"].n == run.metrics["test"]["loss_per_token"].n == 3
    assert json.loads((run.path / "rows.json").read_text())["test"]["problem_rows"] == {"refused": [3]}


def test_several_turns_and_systems_are_learned_as_rows_say(tmp_path: Path, tiny_decoder: Path) -> None:
    rows = []
    for i, (asked, answer) in enumerate(sentences(16)):
        row = turns(asked, answer, "again", answer)
        row["messages"][1]["train"] = bool(i % 2)
        row["messages"].insert(0, {"role": "system", "content": "Be brief. 简短。"})
        rows.append(row)
    run = fit(rows, tmp_path, tiny_decoder, "chat", "lora", train__epochs=1, evaluate__generate=5)
    assert sum(row["prediction"] is not None for row in stored(run)) == 5
    became = json.loads((run.path / "rows.json").read_text())["train"]
    assert became["stops"] == {"<eos>": 24}
    assert run.metrics["test"]["chrf"].n == 5
    assert run.metrics["test"]["loss_per_token"].n == 16


def test_a_models_own_template_is_used_and_saved(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    model = write_tiny_decoder(tmp_path / "model", template=template)
    run = fit(face_rows("chat", 12), tmp_path / "run", model, strategy="lora", train__epochs=1)
    saved = (run.path / "model/chat_template.jinja").read_text(encoding="utf-8")
    # The tokenizer puts <bos> before texts, and so before conversations.
    assert saved == "{{- bos_token }}" + template


def test_a_dry_run_tells_that_measuring_comes_on_top(tiny_decoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = {**TINY, "task.name": "chat", "model.name": str(tiny_decoder), "train.epochs": 1}
    values["task.max_new_tokens"] = 9
    dry_run(Config().with_values(values), face_rows("chat"), console=Console())
    assert "on top: 5 answers of at most 9 tokens are written three times" in capsys.readouterr().err
