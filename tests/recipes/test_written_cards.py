"""The lines on a model's card write what supertune writes: of an adapter, of that merged, and of a whole model."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import supertune
from supertune.console import Console
from supertune.errors import UserError
from supertune.recipes.merge import merge_run
from tiny_decoders import TINY, face_rows, write_tiny_decoder

Writers = Callable[[str], Path]
ALONE = "import sys\nsys.modules['supertune'] = None\n"


def by_card(folder: Path) -> str:
    """What the lines write, in a process that cannot import supertune."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", card, re.DOTALL)[0]
    done = subprocess.run([sys.executable, "-c", ALONE + code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return readable(done.stdout)


def readable(text: object) -> str:
    """A model that has hardly learned ends in half a character, which we leave out."""
    return str(text).strip().rstrip("\N{REPLACEMENT CHARACTER}")


@pytest.mark.slow
@pytest.mark.parametrize("face", ["translation", "generative-qa", "text"])
def test_of_an_adapter_and_of_what_it_is_merged_into(face: str, brief_writers: Writers, tmp_path: Path) -> None:
    run = supertune.load_run(brief_writers(face))
    asked = [("one text", "another text")] if face == "generative-qa" else ["one text"]
    expected = readable(run.predict(asked)[0]["prediction"])
    assert by_card(run.path / "model") == expected
    merge_run(run.path, tmp_path / "whole", console=Console(quiet=True))
    assert by_card(tmp_path / "whole") == expected


def test_of_a_whole_model_which_cannot_be_merged(chat_writer: Path, tmp_path: Path) -> None:
    expected = supertune.load_run(chat_writer).predict(["one text"])[0]["prediction"]
    assert by_card(chat_writer / "model") == expected
    with pytest.raises(UserError, match="nothing to merge"):
        merge_run(chat_writer, tmp_path / "whole", console=Console(quiet=True))


def test_other_tools_stop_a_merged_model_where_its_answers_end(tmp_path: Path) -> None:
    from transformers import GenerationConfig

    # Pre-trained to stop at another token than its answers end with here.
    base = write_tiny_decoder(tmp_path / "base", eos_token_id=1)
    settings = {**TINY, "strategy.name": "lora", "train.epochs": 1, "evaluate.generate": 0, "evaluate.baselines": False}
    run = supertune.fit(face_rows("chat"), task="chat", model=str(base), out=tmp_path / "run", settings=settings)
    merge_run(run.path, tmp_path / "whole", console=Console(quiet=True))
    assert GenerationConfig.from_pretrained(tmp_path / "whole").eos_token_id == [2, 1]
