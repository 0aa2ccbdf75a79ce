"""What the gate says of rows with labels is said in Chinese on a Chinese page; the sentences come from the checks."""

from __future__ import annotations

import random
import re

import numpy as np

from supertune.contracts import Columns, Finding
from supertune.data import CHECKS, CheckInput, Table, run_checks
from supertune.data.label_errors.found import Estimate, LabelErrors, Suspect
from supertune.runs.report.phrases import in_language

SENTENCE = "the food was late and we asked for it twice but nobody came"
COLUMNS = Columns(("text",), ("label",))
TOLD = (
    *("empty-rows", "damaged-texts", "exact-duplicates", "near-duplicates", "label-names", "label-conflicts"),
    *("label-errors", "leakage", "imbalance", "rare-classes", "shortcuts", "drift", "pii", "truncation"),
)


def rows() -> list[dict[str, str]]:
    generator = random.Random(0)
    words = SENTENCE.split()
    made = []
    for number in range(240):
        late = number % 4 == 0
        text = " ".join(generator.choices(words, k=14))
        person = ("anna", "ben", "carl")[number % 3]
        label = "late" if late or (person == "carl" and number % 2) else "fine"
        made.append({"text": text, "label": label, "annotator": person, "date": f"2024-{1 + number // 24:02d}-01"})
    for number in range(180, 240):
        made[number]["label"] = "late"
    for row in made:
        row["text"] += " zebra" if row["label"] == "late" else ""
    for number in range(60):
        for person in ("anna", "ben", "dora"):
            label = "late" if person == "dora" else "fine"
            made.append({"text": f"parcel {number * 37}", "label": label, "annotator": person, "date": "2024-05-01"})
    shared = {"annotator": "ben", "date": "2024-05-01"}
    made += [
        {"text": " ", "label": "fine", **shared},
        {"text": "caf\u00c3\u00a9 <p>au</p> lait\u200b", "label": "fine", **shared},
    ]
    made += [{"text": text, "label": "Late ", **shared} for text in ("write to ann@example.org", "call me")]
    made += [{"text": "call me, please, at any time of the day or night", "label": "rare", **shared}] * 2
    made += [{"text": "Call me please at any time of the day or night!", "label": "rare", **shared}]
    made += [{"text": "call me now please at any time of the day or of the night", "label": "rare", **shared}]
    made += [{"text": "call me now please at any time of the day or of the nights", "label": "rare", **shared}]
    return made


def findings() -> list[Finding]:
    train = Table.from_rows(rows())
    test = Table.from_rows([*rows()[:40], *({"text": f"other {n * 91}", "label": "fine"} for n in range(200))])
    suspects = (Suspect("train", 3, "text", "label", "fine", "late", 0.9),)
    wrong = LabelErrors(suspects, (Estimate("label", 200, 12.0, 5.0, 20.0, 1, 0.9),), 240, 0)
    lengths = {"train": np.full(len(train), 40), "test": np.full(len(test), 3)}
    given = CheckInput({"train": train, "test": test}, COLUMNS, True, lengths, 30, 512, wrong)
    one = Table.from_rows([{"text": "a b c", "label": "x"}, {"text": "d e f", "label": "x"}])
    longer = CheckInput({"all": train}, COLUMNS, False, {"all": np.full(len(train), 600)}, 256, 512)
    return [*run_checks(given), *run_checks(longer, ["truncation"]), *run_checks(CheckInput({"all": one}, COLUMNS))]


def test_every_finding_and_what_to_do_is_said_in_chinese() -> None:
    found = [finding for finding in findings() if finding.check in TOLD]
    assert {finding.check for finding in found} == set(TOLD) <= set(CHECKS)
    untold = {
        sentence
        for finding in found
        for sentence in (finding.message, finding.fix)
        if in_language(sentence, "zh") == sentence and not sentence.startswith("supertune clean")
    }
    # Of held-out rows it is told in English yet which others they are nearly the same as.
    assert {
        sentence for sentence in untold if "looked at before" not in sentence and "their like" not in sentence
    } == set()


def test_commands_and_numbers_stay() -> None:
    for finding in findings():
        said = in_language(finding.fix, "zh")
        for command in re.findall(r"supertune (?:clean|split|check) [A-Z]+ --\S+ \S+", finding.fix):
            assert command in said
        if finding.check in TOLD and "of 20" not in finding.message:
            numbers = set(re.findall(r"\d+", in_language(finding.message, "zh")))
            assert numbers <= set(re.findall(r"\d+", finding.message)) | {"95", "99"}


def test_an_english_page_says_what_was_said() -> None:
    assert all(in_language(finding.message, "en") == finding.message for finding in findings())
