"""A run without test rows is told by its validation rows, and says that these helped to choose the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_training_choices import fit


@pytest.mark.parametrize(
    ("language", "caution", "untrue"),
    [
        ("en", "There were no test rows: validation rows also help to choose the model", "never saw"),
        ("zh", "没有测试数据：验证数据也用来挑选模型", "从未见过"),
    ],
)
def test_validation_rows_are_not_called_unseen(
    tmp_path: Path, tiny_encoder: Path, language: str, caution: str, untrue: str
) -> None:
    settings = {"data.split": [0.7, 0.3, 0], "evaluate.language": language}
    run = fit(tmp_path, tiny_encoder, **settings)
    assert set(run.metrics) == {"validation"}
    card = (run.path / "model/README.md").read_text(encoding="utf-8")
    report = (run.path / "report.html").read_text(encoding="utf-8")
    for text in (card, report):
        assert caution in text
        assert untrue not in text
    assert "Measured on the validation rows, which also help to choose the model" in card
