"""Teachers that cannot teach, and settings that contradict one: a message before anything is done, and no folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from taught_samples import HARD, SMALL, command, grouped, write_teacher
from test_retrieval_runs import pairs

import supertune
from supertune.errors import UserError


def refused(rows: Any, encoder: Path, out: Path, said: str, **settings: Any) -> None:
    """It ends with a message, before anything is left."""
    with pytest.raises(UserError, match=said):
        supertune.fit(rows, task="retrieval", model=str(encoder), out=out, settings={**SMALL, **settings})
    assert not out.exists()


@pytest.mark.parametrize(
    ("teacher_of", "said"),
    [
        ("nowhere", r"task\.teacher.*there is no such folder"),
        ("nobody/nothing", r"task\.teacher"),
        ("minilm-2", r"task\.teacher"),
        ("encoder", "is BertModel, which gives a pair of texts no score"),
        ("two", "gives a pair 2 numbers, and one is needed"),
        ("headless", "weights of the model are missing"),
        ("pickled", "a pickle file"),
        ("student", "learned retrieval, and does not score pairs"),
        ("unfinished", "has no model"),
        ("numberless", "pairs no number"),
    ],
)
def test_teachers_that_cannot_teach_are_refused(
    workshop: Path,
    teacher: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    teacher_of: str,
    said: str,
) -> None:
    from safetensors.torch import load_file, save_file

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    named: dict[str, Path] = {"encoder": tiny_encoder, "student": workshop / "taught"}
    folder = named.get(teacher_of, tmp_path / teacher_of)
    if teacher_of == "two":
        write_teacher(tiny_encoder, folder, outputs=2)
    elif teacher_of == "unfinished":
        shutil.copytree(workshop / "order", folder, ignore=shutil.ignore_patterns("model"))
    elif teacher_of in ("headless", "pickled", "numberless"):
        shutil.copytree(teacher, folder)
        state = load_file(folder / "model.safetensors")
        if teacher_of == "headless":
            state = {name: value for name, value in state.items() if not name.startswith("classifier")}
        else:
            state["classifier.bias"] = state["classifier.bias"] * float("nan")
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        if teacher_of == "pickled":
            torch.save(state, folder / "pytorch_model.bin")
            (folder / "model.safetensors").unlink()
    name = teacher_of if teacher_of in ("nobody/nothing", "minilm-2") else str(folder)
    # What is allowed of the student's weights is not allowed of the teacher's.
    settings = {"task.teacher": name, "model.allow_pickle": True}
    refused(grouped(), tiny_encoder, tmp_path / "run", said, **settings)


def test_nothing_to_compare_is_refused(teacher: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    said = "no query stands beside two passages"
    refused(pairs(40), tiny_encoder, tmp_path / "run", said, **{"task.teacher": str(teacher)})
    refused(pairs(40), tiny_encoder, tmp_path / "run", said, **{"task.teacher": str(teacher), "task.negatives": "none"})
    # Words find nothing else where all ask for the same.
    same = [{"query": f"good {row}", "passage": "the film is good"} for row in range(30)]
    allowed = {"data.allow": ["leakage", "exact-duplicates"], "data.split": [1.0, 0.0, 0.0]}
    refused(same, tiny_encoder, tmp_path / "run", said, **{"task.teacher": str(teacher), **HARD, **allowed})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train.loss": "in_batch"}, "would never ask the teacher"),
        ({"train.loss": "cosent"}, "would never ask the teacher"),
        ({"train.loss": "focal"}, "means nothing for rankings|never ask"),
        ({"task.teacher": None, "train.loss": "margin_mse"}, "and none is named"),
        ({"task.symmetric": True}, "not which query a passage answers"),
        ({"train.teacher_temperature": 0.0}, "teacher_temperature"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    teacher: Path, tiny_encoder: Path, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    refused(grouped(), tiny_encoder, tmp_path / "run", said, **{"task.teacher": str(teacher), **settings})


def test_other_tasks_have_no_teacher(teacher: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [{"text": f"good {row}", "label": row % 2} for row in range(30)]
    for task, data in (("classification", rows), ("rerank", grouped())):
        settings = {"task.teacher": str(teacher)}
        with pytest.raises(UserError, match=f"task.teacher: means nothing for {task}"):
            supertune.fit(data, task=task, model=str(tiny_encoder), out=tmp_path / "run", settings=settings)
    with pytest.raises(UserError, match="kl_divergence"):
        supertune.fit(rows, model=str(tiny_encoder), out=tmp_path / "run", settings={"train.loss": "kl_divergence"})


@pytest.mark.slow
def test_the_command_tells_what_is_wrong_with_a_teacher(workshop: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    done = command(workshop, tiny_encoder, str(tmp_path / "run"), "--set", "task.teacher=taught")
    assert done.returncode == 2, done.stderr
    assert "task.teacher" in done.stderr
    assert "learned retrieval, and does not score pairs" in done.stderr
    assert "a run of --task rerank" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
