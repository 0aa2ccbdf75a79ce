"""Configuration: every mistake is answered with file, line and the closest key; what is dumped loads the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.config import Config, dump_config, known_keys, load_config, parse_assignments
from supertune.errors import UserError


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as error:
        load_config(written(folder, text))
    return error.value.message


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("train:\n  epochs: 3\n  epoch: 3\n", 3, ("unknown key 'train.epoch'", "train.epochs")),
        ("train:\n  lr: 1\n", 2, ("unknown key 'train.lr'", "did you mean")),
        ("# first\n\ntrian:\n  epochs: 3\n", 3, ("unknown key 'trian'", "did you mean 'train'")),
        ("train:\n  batchsize: 8\n", 2, ("train.batch_size",)),
        ("data:\n  epochs: 3\n", 2, ("unknown key 'data.epochs'", "train.epochs")),
        ("train:\n  epochs: -1\n", 2, ("train.epochs: -1", "greater than or equal to 0", "passes over")),
        ("train:\n  epochs: three\n", 2, ('train.epochs: "three"',)),
        ("train:\n  epochs: 2.5\n", 2, ("train.epochs: 2.5",)),
        ("train:\n  epochs: yes\n", 2, ("train.epochs: true",)),
        ("train:\n  learning_rate: .nan\n", 2, ("train.learning_rate",)),
        ("train:\n  learning_rate: '1e-4'\n", 2, ("train.learning_rate",)),
        ("model:\n  max_length: 4\n", 2, ("model.max_length: 4", "greater than or equal to 8")),
        ("data:\n  split: [0.5, 0.5]\n", 2, ("data.split: [0.5, 0.5]", "3 items")),
        ("data:\n  split: [0.5, 0.4, 1.1]\n", 2, ("data.split",)),
        ("data:\n  text: title\n", 2, ('data.text: "title"', "valid list")),
        ("task:\n  name: clasification\n", 2, ("task.name", "'classification'")),
        ("data:\n", 1, ("data: null", "section")),
        ("train: 3\n", 1, ("train: 3", "section")),
        ("5: x\n", 1, ("5",)),
        ("train:\n  epochs: 1\n  epochs: 2\n", 3, ("'train.epochs' stands twice", "line 2")),
        ("data: {}\ntrain: {}\ndata: {}\n", 3, ("'data' stands twice", "line 1")),
        ("train:\n  epochs: [1\n", 3, ("not valid YAML",)),
        ("train:\n\tepochs: 1\n", 2, ("not valid YAML",)),
        ("data: &a\n  text: *a\n", 2, ("data.text",)),
        ("数据:\n  来源: x\n", 1, ("unknown key '数据'",)),
    ],
)
def test_mistakes_name_line_value_and_remedy(tmp_path: Path, text: str, line: int, told: tuple[str, ...]) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'config.yaml'}:{line}: ")
    assert all(part in message for part in told), message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "[]",
        "text",
        "42",
        "a: &a\n  b: *a\n",
        "[" * 1200,
        "train:\n  epochs: 0b_\n",
        "--- {}\n--- {}\n",
        "data:\n  source: " + "a" * 5000,
        "train: !!python/object/apply:os.system ['true']",
        "a: \x07",
    ],
)
def test_hostile_files_are_a_user_s_error(tmp_path: Path, text: str) -> None:
    refusal(tmp_path, text)


def test_aliases_cannot_blow_up(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
    assert len(refusal(tmp_path, bomb + "data:\n  text: *a59\n")) < 2000
    assert len(refusal(tmp_path, "data:\n  text: &a [[x]]\n  allow: *a\n")) < 2000


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("data:\n  source: 数据.csv\n".encode("gb18030"))
    with pytest.raises(UserError, match="UTF-8"):
        load_config(path)
    path.write_bytes(b"\xef\xbb\xbftrain:\r\n  epochs: 4\r\n")
    assert load_config(path).train.epochs == 4


@pytest.mark.parametrize("name", ["missing.yaml", ""])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as error:
        load_config(tmp_path / name)
    assert error.value.where == str(tmp_path / name)


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "train:\n  learning_rate: 1e-4\n  warmup: 0\n  weight_decay: 1E-2\n"))
    assert (config.train.learning_rate, config.train.warmup, config.train.weight_decay) == (1e-4, 0, 0.01)
    assert parse_assignments(["a.b=2e-5", "c.d=[1e-3, x]", "e.f=null", "g.h="]) == {
        "a.b": 2e-5,
        "c.d": [1e-3, "x"],
        "e.f": None,
        "g.h": None,
    }


def test_names_that_look_like_numbers_or_dates(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "data:\n  source: 2024-01-31\n  label: '1e5'\n  text: ['1', \"2e3\"]\n"))
    assert (config.data.source, config.data.label, config.data.text) == ("2024-01-31", "1e5", ["1", "2e3"])


@pytest.mark.parametrize("assignment", ["epochs", "=3", "train.epochs", "a.b=[1", "a.b=0b_", "a.b=" + "[" * 1200])
def test_bad_assignments(assignment: str) -> None:
    with pytest.raises(UserError) as error:
        parse_assignments([assignment])
    assert error.value.where == "--set"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("train", "train.seed"),
        ("epochs", "train.epochs"),
        ("train.epoch", "train.epochs"),
        ("trian.epochs", "train"),
        ("train.seed.x", "train.seed"),
        ("", ""),
        (".", ""),
    ],
)
def test_unknown_keys_to_set(key: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        Config().with_values({key: 3})
    assert error.value.where == "--set"
    assert told in (error.value.fix or "")


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("task.name", "chatt", "did you mean 'chat'?"),
        ("task.name", "summarize", "did you mean 'summarization'?"),
        ("strategy.name", "LORA", "did you mean 'lora'?"),
        ("task.prompt", {"question": None}, "task.prompt='\"{…}\"'"),
        ("task.name", "clustering", "classification: one label of several"),
    ],
)
def test_values_almost_right_are_known(key: str, value: object, fix: str) -> None:
    with pytest.raises(UserError) as caught:
        Config().with_values({key: value})
    assert fix in (caught.value.fix or "")


def test_setting_copies_and_checks() -> None:
    before = Config()
    after = before.with_values({"train.epochs": 5, "data.text": ["a", "b"]})
    assert (after.train.epochs, after.data.text, before.train.epochs) == (5, ["a", "b"], "auto")
    with pytest.raises(UserError, match=r"train\.epochs"):
        before.with_values({"train.epochs": -1})


def test_nothing_can_be_assigned() -> None:
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Config().train.epochs = 3  # type: ignore[misc]


def test_defaults_are_not_shared() -> None:
    Config().data.split.append(9.0)
    Config().data.allow.append("leakage")
    assert (Config().data.split, Config().data.allow) == ([0.8, 0.1, 0.1], [])


def test_relative_paths_belong_to_the_file_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, elsewhere = tmp_path / "设置", tmp_path / "elsewhere"
    for made in (folder / "model", elsewhere):
        made.mkdir(parents=True)
    (folder / "rows.csv").touch()
    monkeypatch.chdir(elsewhere)
    absolute = str(tmp_path / "absolute.csv")
    config = load_config(
        written(
            folder, f"data:\n  source: rows.csv\n  validation: org/name\n  test: {absolute}\nmodel: {{name: model}}"
        )
    )
    assert config.data.source == str((folder / "rows.csv").resolve())
    assert config.model.name == str((folder / "model").resolve())
    assert (config.data.validation, config.data.test) == ("org/name", absolute)


NAMES = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable()) | st.sampled_from(
    [
        "1e5",
        "0e0",
        "null",
        "yes",
        "~",
        "# x",
        "a: b",
        "- a",
        "2020-01-01",
        "'",
        '"',
        "好, 坏",
        "[x]",
        "1_000",
        ".5",
        " a",
    ]
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "data.label": st.none() | NAMES,
    "data.text": st.none() | st.lists(NAMES, max_size=3),
    "data.allow": st.lists(NAMES, max_size=3),
    "data.split": st.lists(st.floats(0, 1), min_size=3, max_size=3),
    "data.split_seed": st.integers(0, 2**32 - 1),
    "model.max_length": st.none() | st.integers(8, 131072),
    "task.prompt": st.none() | st.text(min_size=1, max_size=20).map(lambda text: f"{text}\n{{文章}}"),
    "task.roles": st.none() | st.dictionaries(NAMES, st.sampled_from(["system", "user", "assistant", "tool"])),
    "train.epochs": st.just("auto") | st.integers(1, 1000),
    "train.learning_rate": st.just("auto") | st.floats(0, 10, exclude_min=True),
    "train.clip_norm": st.floats(0, allow_nan=False),
    "train.precision": st.sampled_from(["auto", "bf16", "fp32"]),
    "train.device": NAMES,
    "evaluate.text": st.booleans(),
    "evaluate.resamples": st.integers(1000, 1_000_000),
}


@settings(max_examples=50)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_what_is_dumped_loads_the_same(values: dict[str, Any]) -> None:
    import tempfile

    config = Config().with_values(values)
    with tempfile.TemporaryDirectory() as folder:
        assert load_config(written(Path(folder), dump_config(config))) == config


def test_the_dump_holds_every_key_with_what_it_does() -> None:
    lines = dump_config(Config()).splitlines()
    assert len(lines) == len(Config.model_fields) + len(known_keys())
    assert all("  # " in line and not line.endswith("None") for line in lines)


def test_a_prompt_of_several_lines_stays_on_its_line() -> None:
    config = Config().with_values(
        {"task.prompt": "请概括。\n\n{文章} # it's\n", "task.roles": {"客服": "assistant"}, "task.system": "Be brief."}
    )
    assert '  prompt: "请概括。\\n\\n{文章} # it\'s\\n"  # ' in dump_config(config)
    assert "  roles: {客服: assistant}  # " in dump_config(config)
    for wrong in ({"task.roles": {"客服": "boss"}}, {"task.prompt": ""}, {"task.system": 3}):
        with pytest.raises(UserError, match=next(iter(wrong)).replace(".", r"\.")):
            Config().with_values(wrong)


def test_labels_that_yaml_takes_for_numbers_are_labels() -> None:
    values = parse_assignments(["strategy.name=zero-shot", "strategy.descriptions={0: bad, 1: good, 2.5: fair}"])
    assert Config().with_values(values).strategy.descriptions == {"0": "bad", "1": "good", "2.5": "fair"}


def test_every_task_is_named_where_it_is_asked_for() -> None:
    from supertune.cli.options import Task
    from supertune.config import TaskConfig

    (option,) = Task.__metadata__
    assert all(name in option.help for name in get_args(TaskConfig.model_fields["name"].annotation))
