"""The model card: the hub can read it, a person can follow it, and nothing in it is taken for markup."""

import importlib.resources
import re
from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard as HubCard
from markdown_it import MarkdownIt

from supertune.contracts import Finding, Score
from supertune.runs import ModelCard, model_card

LABELS = ("退款", "delivery | status", "`code`", "<script>alert(1)</script>", "*bold*\nand more")
CODE = 'labels = ["退款", "```"]\nprint(len(labels))'

CARD = ModelCard(
    title="Support tickets",
    summary="Names the intent of a message to a shop.",
    verdict="Right 86.4 % of the time.",
    task="classification",
    pipeline_tag="text-classification",
    strategy="full",
    base_model="sentence-transformers/all-MiniLM-L6-v2",
    split="test",
    scores={
        "accuracy": Score(0.864, 0.821, 0.898, 612, "accuracy|v1"),
        "f1_macro": Score(0.841, 0.81, 0.87, 612, "f1_macro|v1", "two classes are rare"),
        "f1_micro": Score(0.864, 0.821, 0.898, 612, "f1_micro|v1"),
        "ece": Score(0.031, 0.02, 0.05, 612, "ece|v1"),
    },
    baselines={"majority class": {"accuracy": Score(0.241, 0.2, 0.28, 612, "accuracy|v1")}},
    transformers_code=CODE,
    supertune_code="import supertune",
    languages=("en", "zh", "und"),
    license="apache-2.0",
    labels=LABELS,
    provenance={"SHA-256": "6f1ed002"},
    data={"training rows": "4,896", "fingerprint": "ab12"},
    rows=6120,
    findings=(
        Finding("imbalance", "info", "uneven", "weights"),
        Finding("leakage", "error", "12 rows of <test>", "remove them", "test"),
    ),
    not_measured=("robustness to typing mistakes", "fairness between groups"),
    settings={"learning rate": "2e-5"},
    versions={"python": "3.11.9", "torch": "2.13.0"},
)


def tokens(text):
    return MarkdownIt("commonmark").enable("table").parse(text.split("---\n", 2)[2])


def visible(text):
    """The words a reader sees, cell by cell."""
    return ["".join(child.content for child in token.children) for token in tokens(text) if token.type == "inline"]


def test_the_hub_reads_its_front_matter():
    data = HubCard(model_card(CARD)).data
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert data.language == ["en", "zh"]
    assert data.license == "apache-2.0"
    assert data.pipeline_tag == "text-classification"
    assert data.tags == ["supertune", "classification", "full"]
    assert data.metrics == ["accuracy", "f1"]
    assert data.library_name == "transformers"


def test_front_matter_leaves_out_what_is_not_known():
    card = replace(CARD, languages=("und",), license=None, scores={})
    front = yaml.safe_load(model_card(card).split("---\n")[1])
    assert not front.keys() & {"language", "license", "metrics"}
    assert "Nothing was measured." in model_card(card)


def test_front_matter_stays_yaml_whatever_the_base_is_called():
    name = '中文: "model"\n---\nlicense: evil # {[&*'
    front = yaml.safe_load_all(model_card(replace(CARD, base_model=name)))
    assert next(iter(front))["base_model"] == name


def test_the_load_lines_are_exactly_those_given():
    fences = [token.content for token in tokens(model_card(CARD)) if token.type == "fence"]
    assert fences == [CODE + "\n", "import supertune\n"]
    printed = []
    exec(compile(fences[0], "card", "exec"), {"print": printed.append})
    assert printed == [2]


def test_labels_are_shown_as_they_are():
    seen = visible(model_card(CARD))
    for label in LABELS:
        assert " ".join(label.split()) in seen
    assert not [token for token in tokens(model_card(CARD)) if token.type == "html_block"]


def test_scores_stand_beside_baselines_with_their_warnings():
    text = model_card(CARD)
    row = next(line for line in text.splitlines() if line.startswith("| accuracy"))
    assert "86.4 % \\[82.1, 89.8\\]" in row
    assert "24.1 % \\[20.0, 28.0\\]" in row
    assert "612" in row
    assert "not measured" in next(line for line in text.splitlines() if line.startswith("| ece"))
    assert "two classes are rare" in text
    tables = [token for token in tokens(text) if token.type == "table_open"]
    assert len(tables) == 2


def test_it_does_not_say_that_nothing_was_chosen_on_validation_rows():
    text = model_card(CARD)
    assert "Measured once, on the test rows, which nothing was chosen on." in text
    validation = model_card(replace(CARD, split="validation"))
    assert "Measured on the validation rows, which also help to choose the model: there are no test rows" in validation
    assert "nothing was chosen on" not in validation
    tables = [[token for token in tokens(one) if token.type == "table_open"] for one in (text, validation)]
    assert len(tables[0]) == len(tables[1]) == 2


def test_it_says_what_was_found_and_what_was_not_measured():
    seen = visible(model_card(CARD))
    assert "error, leakage (test): 12 rows of <test>" in seen
    assert seen.index("error, leakage (test): 12 rows of <test>") < seen.index("info, imbalance (all): uneven")
    assert {
        "robustness to typing mistakes",
        "fairness between groups",
        "learning rate: 2e-5",
        "Versions: python 3.11.9, torch 2.13.0",
    } <= set(seen)
    assert any("did not say what it is meant for" in line for line in seen)
    assert "found no problems" in model_card(replace(CARD, findings=()))


def test_every_heading_has_something_below_it():
    parsed = tokens(model_card(CARD))
    for here, after in zip(parsed, parsed[3:], strict=False):
        if here.type == "heading_open" and here.tag == "h2":
            assert after.type != "heading_open"


def test_no_stretch_of_blank_lines():
    assert not re.search(r"\n{4,}", model_card(CARD))


@pytest.mark.parametrize("name", ["card.md.jinja", "report/report.html.jinja", "report/report.css"])
def test_the_templates_are_in_the_package(name):
    assert importlib.resources.files("supertune.runs").joinpath(name).is_file()
