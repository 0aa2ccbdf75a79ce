"""Who is asked for new texts: models on this machine, endpoints, and what must not leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supertune.cli.asking import writer_choices
from supertune.console import Console
from supertune.contracts import TextPrompt, WrittenText
from supertune.data import Table, infer_columns
from supertune.data.augment import BackTranslation, augment
from supertune.errors import UserError
from supertune.generate import Limits
from supertune.recipes.local_writer import LocalWriter, TwoWriters
from supertune.recipes.writers import WriterChoices, opened_writer, refuse_personal_data, usual_cache
from tiny_decoders import write_tiny_decoder

QUIET = Console(quiet=True)


def asked(*texts: str) -> list[TextPrompt]:
    return [TextPrompt(text, seed=seed) for seed, text in enumerate(texts)]


def test_a_chat_model_is_asked_once_for_the_same(brief_writers: Callable[[str], Path]) -> None:
    choices = WriterChoices(str(brief_writers("chat")), temperature=0.0, max_new_tokens=8)
    texts = ("bad cat", "tea", "rain film 好")
    with opened_writer(choices, QUIET) as opened:
        assert opened.writer.local
        assert opened.writer.instructed
        found = opened.writer.write(asked(*texts))
        assert not any(one.kept for one in found)
        assert opened.spent() == ""
        json.dumps(opened.as_dict())
    # Side by side as alone.
    for prompt, one in zip(asked(*texts), found, strict=True):
        assert LocalWriter(choices.writer, temperature=0.0, max_new_tokens=8).write([prompt]) == [one]
    with opened_writer(choices, QUIET) as opened:
        again = opened.writer.write(asked(*texts))
        assert [(one.text, one.reason, one.kept) for one in again] == [(one.text, one.reason, True) for one in found]
    assert usual_cache().exists()


def test_drawn_texts_depend_on_their_own_question_and_seed_alone(brief_writers: Callable[[str], Path]) -> None:
    writer = LocalWriter(str(brief_writers("chat")), temperature=1.5, max_new_tokens=12)
    # Hardly trained, it never comes to an end by itself.
    writer._settings = replace(writer._settings, stop_strings=("e", "a", "o", "i"))
    prompts = [TextPrompt("bad cat", seed=seed) for seed in range(3)] + asked("tea")
    found = writer.write(prompts)
    assert writer.write(prompts[::-1]) == found[::-1]
    assert writer.write(prompts[1:2]) == found[1:2]
    assert len({(one.text, one.reason) for one in found[:3]}) > 1


def test_what_is_too_long_or_cut_off_has_a_reason(brief_writers: Callable[[str], Path]) -> None:
    writer = LocalWriter(str(brief_writers("chat")), temperature=0.0, max_new_tokens=1)
    told: list[tuple[int, WrittenText]] = []
    found = writer.write(asked("cat " * 2000, "bad cat"), lambda *one: told.append(one))
    assert [one.reason for one in found] == ["longer than the model reads", "cut off by its length"]
    assert sorted(told, key=lambda one: one[0]) == list(enumerate(found))


def test_models_that_nobody_trained_can_be_asked(tmp_path: Path) -> None:
    folder = write_tiny_decoder(tmp_path / "model")
    writer = LocalWriter(str(folder), temperature=0.0, max_new_tokens=4)
    assert writer.instructed
    (found,) = writer.write([TextPrompt("tea", system="be brief")])
    assert found.text is not None or found.reason
    assert writer.identity != LocalWriter(str(folder), temperature=0.0, max_new_tokens=5).identity


def test_two_models_translate_there_and_back(brief_writers: Callable[[str], Path]) -> None:
    run = brief_writers("translation")
    one = LocalWriter(str(run), temperature=0.0, max_new_tokens=6)
    assert not one.instructed
    both = TwoWriters(one, LocalWriter(str(run), temperature=0.0, max_new_tokens=6))
    prompts = [TextPrompt("bad cat", step=0), TextPrompt("tea", step=1), TextPrompt("good tea", step=0)]
    assert both.write(prompts) == one.write(prompts)
    rows = [{"text": f"{a} {b}", "label": a} for a in ("good", "bad") for b in ("cat", "dog", "rain", "tea", "day")]
    table = Table.from_rows(rows, source="rows")
    progress: list[float] = []
    made = augment(table, infer_columns(table), [BackTranslation()], writer=both, progress=progress.append)
    (tally,) = made.made
    assert tally.asked == 10 == tally.added + sum(tally.dropped.values())
    assert progress == sorted(progress)
    assert (progress[-1], len(progress) > 10) == (1.0, True)


@pytest.mark.slow
def test_models_that_do_not_do_what_they_are_told_are_refused(brief_writers: Callable[[str], Path]) -> None:
    for face in ("summarization", "text"):
        with pytest.raises(UserError, match=r"trained for .* does nothing else"):
            LocalWriter(str(brief_writers(face)), temperature=0.0, max_new_tokens=4)


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        (WriterChoices("http://localhost:1/v1"), "no name"),
        (WriterChoices("http://localhost:1/v1", model="m", back="x"), "both ways"),
        (WriterChoices("http://localhost:1/v1", model="m", key_variable="NOT_SET_AT_ALL"), "NOT_SET_AT_ALL is not set"),
        (WriterChoices("some-model", model="m"), "--writer-model is for endpoints"),
        (WriterChoices("some-model", limits=Limits(requests=1)), "is for endpoints"),
        (WriterChoices("no-such-model"), "no-such-model"),
        (WriterChoices("minilm"), "encoder"),
    ],
)
def test_choices_that_mean_nothing_are_told(choices: WriterChoices, match: str) -> None:
    with pytest.raises(UserError, match=match), opened_writer(choices, QUIET):
        pass


def test_personal_data_does_not_leave_this_machine_unless_allowed() -> None:
    rows = [{"text": "hello there", "label": "a"}, {"text": "write to jane.doe@example.com", "label": "b"}]
    table = Table.from_rows(rows, source="rows")
    with opened_writer(WriterChoices("https://api.example.com/v1", model="m"), QUIET) as opened:
        with pytest.raises(UserError, match=r"1 row holds .*e-mail.*first is row 1.*api\.example\.com") as error:
            refuse_personal_data(opened, table, ("text",), allowed=False)
        assert "jane" not in str(error.value)
        refuse_personal_data(opened, table, ("text",), allowed=True)
        refuse_personal_data(opened, table.select([0], step="some"), ("text",), allowed=False)
    with opened_writer(WriterChoices("http://127.0.0.1:9/v1", model="m"), QUIET) as opened:
        refuse_personal_data(opened, table, ("text",), allowed=False)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"key": "sk-12345"}, "no name of an environment variable"),
        ({"body": "{"}, "not valid JSON"),
        ({"body": "[1]"}, "no JSON object"),
        ({"prices": "1"}, "no two prices"),
        ({"prices": "-1,2"}, "not below 0"),
        ({"money": 1.0}, "nobody knows what tokens cost"),
        ({"requests": -1}, "means nothing"),
    ],
)
def test_options_that_mean_nothing_are_told(options: dict[str, Any], match: str) -> None:
    with pytest.raises(UserError, match=match) as error:
        writer_choices("http://localhost:1/v1", **options)
    assert "sk-12345" not in str(error.value)


def test_options_become_choices(tmp_path: Path) -> None:
    choices = writer_choices(
        "http://localhost:1/v1",
        model="m",
        temperature=0.0,
        body='{"top_k": 2}',
        money=2.0,
        prices="0.5,1.5",
        cache=tmp_path / "a.sqlite",
    )
    assert (choices.temperature, choices.max_new_tokens, choices.body) == (0.0, 1024, {"top_k": 2})
    assert choices.limits.prices is not None
    assert choices.limits.prices.cost(1_000_000, 1_000_000) == 2.0
    with opened_writer(choices, QUIET) as opened:
        assert opened.as_dict()["spent"] == {"requests": 0, "prompt_tokens": 0, "new_tokens": 0, "money": 0.0}
