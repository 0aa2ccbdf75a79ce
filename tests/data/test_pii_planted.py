"""What other libraries make up as personal data, in sentences of both languages: nearly all is found, hardly else."""

import importlib.util
import sys
from pathlib import Path

import pytest

from supertune.data.pii import find_pii, mask

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
AS_KIND = {
    "key or token": "secret",
    "password": "secret",
    "foreign plate": "plate",
    "resident-id of 15 digits": "resident-id",
}
EACH = 32
LEAST = {"phone": 0.8}
"""Half of Faker's American numbers are ten digits in one piece, which only words tell from any other number."""


def module(name):
    # Not by the search path: other benchmarks are called like packages.
    specification = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    found = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = found
    specification.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def texts():
    planting = module("pii_texts")
    return [
        text for language in ("en", "zh") for text in planting.planted(language, planting.tickets(language), EACH, 11)
    ]


def test_planted_items_are_found(texts):
    found = {}
    for text in texts:
        if text.start >= 0:
            kind = AS_KIND.get(text.kind, text.kind)
            hit = any((s.start, s.end, s.kind) == (text.start, text.end, kind) for s in find_pii(text.text))
            found.setdefault((text.kind, text.language), []).append(hit)
    assert sum(map(len, found.values())) >= 500
    for (kind, language), hits in found.items():
        assert sum(hits) / len(hits) >= LEAST.get(kind, 0.93), (kind, language, sum(hits), len(hits))
    for kind in ("resident-id", "bank-card", "iban"):
        hits = [hit for (name, _), some in found.items() if name == kind for hit in some]
        assert sum(hits) / len(hits) >= 0.95, kind


def test_hardly_anything_else_is(texts):
    right = wrong = 0
    for text in texts:
        kind = AS_KIND.get(text.kind or "", text.kind)
        for span in find_pii(text.text):
            if span.kind == kind and span.start < text.end and span.end > text.start >= 0:
                right += 1
            else:
                wrong += 1
    assert right >= 500
    assert right / (right + wrong) >= 0.98


def test_masked_they_hold_nothing(texts):
    for text in texts:
        assert find_pii(mask(text.text, find_pii(text.text))) == []
