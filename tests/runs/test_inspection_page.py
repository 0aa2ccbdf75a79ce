"""The page that shows rows as a model sees them: complete, self-contained, and safe whatever the rows hold."""

import html
import json
import re
import subprocess

import pytest
from report_hostile import BAD
from test_report import Page
from test_report_browser import BROWSER, FLAGS, MEASURE

from supertune.contracts import InspectedRow, Piece, Problem
from supertune.runs import InspectionPage, render_inspection


def piece(text, weight=0.0, token=7, **more):
    return Piece(text, (token,), (text,), (weight,), **more)


def sample(language="en", joined=True):
    asked, said = ("How are you?", "Well,\n\tthank you.") if language == "en" else ("你好吗？", "很好，\n\t谢谢。")
    good = InspectedRow(
        0, (piece("<bos>"), piece(asked), piece(said, 1.0), piece("<eos>", 1.0, 2, stop=True), piece("\n")), 5
    )
    half = InspectedRow(1, (piece(asked), piece(said, 0.5), piece("long " * 900, 0.5)), 2, cut=1, notes=("1 cut off",))
    bad = InspectedRow(
        2, (Piece(asked),), 1, label="x", problem=Problem("unanswered", "cannot be learned", "answer it")
    )
    return InspectionPage(
        f"rows-{language}.jsonl",
        {"model": "tiny", "task": "chat", "max_length": "512"},
        (good, half, bad),
        announcements=("an answer ends with <eos>",),
        remarks=("1 row (1) cut to 512 tokens",),
        joined=joined,
        language=language,
    )


def hostile():
    evil = InspectedRow(
        0,
        (piece(BAD, 1.0, stop=True, tag=BAD), piece("</span></div>" + BAD), piece(BAD)),
        2,
        cut=1,
        label=BAD,
        problem=Problem(BAD, BAD, BAD),
        notes=(BAD,),
    )
    return InspectionPage(BAD, {"model": BAD, "task": BAD}, (evil,), announcements=(BAD,), remarks=(BAD,), joined=True)


PAGES = {"en": sample(), "zh": sample("zh"), "apart": sample(joined=False), "hostile": hostile()}


@pytest.fixture(params=PAGES)
def page(request):
    return render_inspection(PAGES[request.param])


def test_every_tag_closes_nothing_is_fetched_and_nothing_runs(page):
    parsed = Page(page)
    assert parsed.wrong == []
    assert not {tag for tag, _ in parsed.elements} & {"script", "link", "img", "iframe", "object", "base", "form", "a"}
    for _, attributes in parsed.elements:
        assert not {"src", "href", "srcset", "action", "data"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style
    policies = [meta["content"] for meta in parsed.named("meta") if meta.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe\uffff]", page)


def test_hostile_text_stays_text():
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in "".join(Page(render_inspection(hostile())).text)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_piece_says_its_tokens_and_what_they_count(language):
    spans = [span for span in Page(render_inspection(sample(language))).named("span") if "title" in span]
    kinds = [span["class"] for span in spans]
    assert kinds == [
        *("masked even", "masked odd", "learned even", "learned odd strong", "masked even"),
        *("masked even", "learned odd", "cut even", "masked even"),
    ]
    assert "<eos>" in spans[3]["title"]
    assert re.search(r"\b2\b", spans[3]["title"])
    assert "0.5" in spans[6]["title"]


def test_what_is_learned_is_counted_of_rows_that_are():
    assert "3 of 7 tokens carry loss (42.9%). 2 of 3 rows are learned." in render_inspection(sample())
    assert "7 个词元中有 3 个计入损失（42.9%）。3 行中有 2 行参与学习。" in render_inspection(sample("zh"))
    unlearned = InspectionPage("t", {}, (InspectedRow(0, (piece("a"), piece("b")), 2),))
    assert "2 tokens in 1 rows. The loss is on labels" in render_inspection(unlearned)


def test_the_text_can_be_copied_as_it_is():
    shown = render_inspection(sample())
    (first, *_) = re.findall(r'<div class="pieces" dir="auto">(.*?)</div>', shown, re.DOTALL)
    assert html.unescape(re.sub("<[^>]*>", "", first)) == "<bos>How are you?Well,\n\tthank you.<eos>\n"


def test_the_same_contents_give_the_same_bytes():
    assert render_inspection(sample()) == render_inspection(sample())


def test_what_is_cut_off_is_shown_up_to_a_length_and_counted():
    row = InspectedRow(0, tuple(piece("a", 1.0) for _ in range(3000)), 10, cut=2990)
    shown = render_inspection(InspectionPage("t", {}, (row,), joined=True))
    assert shown.count('class="cut') == 401
    assert "… 2,590 more pieces are cut off" in shown


def test_nothing_is_wider_than_the_screen(tmp_path):
    if BROWSER is None:
        pytest.skip("no Chromium here")
    frames = "".join(
        f'<iframe title="{name}-{width}" width="{width}" height="800" style="border:0" '
        f'srcdoc="{html.escape(render_inspection(one))}"></iframe>'
        for name, one in PAGES.items()
        for width in (360, 1200)
    )
    page = tmp_path / "measure.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>-</title>{frames}{MEASURE}", "utf-8")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        timeout=120,
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout.decode("utf-8", "replace"), re.DOTALL)
    assert title, done.stderr.decode()[-2000:]
    measured = json.loads(html.unescape(title.group(1)))
    assert len(measured) == 2 * len(PAGES)
    for one in measured:
        assert one["width"] <= one["screen"] == int(one["name"].rpartition("-")[2])
        assert one["sections"] >= 2
