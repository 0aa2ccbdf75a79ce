from __future__ import annotations

import subprocess
import sys

import pytest

from supertune import models
from supertune.errors import UserError


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "minilm"), ("zh", "e5-multilingual"), ("de", "e5-multilingual"), ("und", "e5-multilingual")],
)
def test_language_chooses_the_model(language: str, name: str) -> None:
    assert models.default_model(language) == name


def test_entries_are_named_as_they_are_listed() -> None:
    assert all(name == entry.name for name, entry in models.REGISTRY.items())
    assert {"minilm", "e5-multilingual", "gemma-270m"} <= models.REGISTRY.keys()


@pytest.mark.parametrize("language", ["en", "zh", "de", "und"])
def test_what_writes_is_a_decoder(language: str) -> None:
    name = models.default_model(language, "decoder")
    assert name == "gemma-270m"
    assert models.REGISTRY[name].kind == "decoder"


def test_importing_the_room_imports_nothing_heavy() -> None:
    code = (
        "import sys, supertune.models; "
        "print([name for name in ('torch', 'transformers', 'tokenizers', 'huggingface_hub') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("slip", ["minilm2", "MiniLM", "mini-lm", "e5-multilingal", "gemma270m"])
def test_slip_of_a_registered_name_is_told_without_network(slip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A hub that would be asked here could not be: the address is not one.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(UserError, match="did you mean") as caught:
        models.resolve(slip)
    assert any(name in str(caught.value.fix) for name in models.REGISTRY)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("path", ["./nothing-here", "/nothing/here", "~/nothing-here", "a/b/c", "nothing/"])
def test_path_that_does_not_exist_is_not_asked_of_a_hub(path: str) -> None:
    with pytest.raises(UserError, match="no such folder or file"):
        models.resolve(path)


def test_empty_name_is_refused() -> None:
    with pytest.raises(UserError, match="no model is named"):
        models.resolve("  ")
