"""The report as a file: complete, self-contained, and safe whatever the data holds."""

import html.parser
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import fields, replace

import pytest
from report_hostile import BAD, hostile_report
from report_samples import LABELS, VERDICT, sample_report

from supertune.contracts import Finding, Grid, Paragraph, Quote, Score, Section
from supertune.runs import Report, render_report, score_text
from supertune.runs.report.words import WORDS

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(html.parser.HTMLParser):
    """The elements of a page, with a complaint for every tag that does not close what was opened last."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text, self.wrong = [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def pictures_of(text):
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def report(*blocks, **changes):
    return Report(title="t", verdict="v", headline={}, sections=(Section("s", blocks),), **changes)


@pytest.fixture(scope="module", params=["en", "zh", "hostile"])
def page(request):
    return render_report(hostile_report() if request.param == "hostile" else sample_report(request.param))


class TestEveryReport:
    def test_every_tag_closes(self, page):
        assert Page(page).wrong == []

    def test_nothing_is_fetched_and_nothing_runs(self, page):
        parsed = Page(page)
        present = {tag for tag, _ in parsed.elements}
        assert not present & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "image", "use"}
        fetching = {"src", "href", "xlink:href", "srcset", "action", "data", "background", "poster"}
        for tag, attributes in parsed.elements:
            assert not fetching & attributes.keys(), tag
            assert not [name for name in attributes if name.startswith("on")], tag
        style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
        assert "url(" not in style
        assert "@import" not in style
        assert "http://" not in page
        assert "https://" not in page
        policies = [meta["content"] for meta in parsed.named("meta") if meta.get("http-equiv")]
        assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]

    def test_every_picture_is_well_formed_and_named(self, page):
        pictures = pictures_of(page)
        assert len(pictures) >= 6
        for picture in pictures:
            assert picture.get("role") == "img"
            assert picture.find("title").text
            assert picture.find("desc").text
            assert "nan" not in " ".join(picture.itertext()).lower().split()
            for element in picture.iter():
                for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "d", "transform"):
                    assert not re.search("nan|inf", element.get(name, ""))

    def test_the_page_has_no_characters_that_a_page_cannot_hold(self, page):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe\uffff]", page)

    def test_a_phone_knows_what_to_do(self, page):
        assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in Page(page).named("meta")

    def test_table_headers_have_a_scope(self, page):
        headers = Page(page).named("th")
        assert headers
        assert all(header.get("scope") in ("row", "col") for header in headers)

    def test_it_is_small(self, page):
        assert len(page.encode("utf-8")) < 500_000


class TestHostileText:
    def test_it_stays_text(self):
        page = render_report(hostile_report())
        assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in "".join(Page(page).text)
        assert "{{ 7*7 }}" in page

    def test_what_is_cut_is_counted(self):
        page = render_report(report(Paragraph("长" * 1_000_000)))
        assert page.count("长") == 2000
        assert "998,000 more characters" in page
        assert "其余 998,000 个字符" in render_report(report(Paragraph("长" * 1_000_000), language="zh"))

    def test_what_a_model_wrote_can_be_read(self):
        page = render_report(report(Quote("asked", {"this model": "长" * 1500})))
        assert page.count("长") == 1000
        assert "500 more characters" in page

    def test_it_is_not_cut_inside_an_emoji(self):
        family = "👩‍👩‍👧"
        page = render_report(report(Quote(family * 1000, {})))
        (shown,) = re.findall("👩[^<…]*…", page)
        assert shown == family * (len(shown) // len(family)) + "…"

    def test_every_text_of_the_user_is_isolated(self):
        page = render_report(replace(hostile_report(), sections=()))
        assert "<bdi>&lt;/title&gt;" in page

    def test_line_breaks_of_a_quote_are_kept(self):
        assert "<bdi>one\n\ntwo</bdi>" in render_report(report(Quote("one\n\ntwo", {})))


class TestContents:
    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_the_order_is_verdict_headline_sections_gate_facts(self, language):
        sample = sample_report(language)
        page = "".join(Page(render_report(sample)).text).replace("\u00a0", " ")
        words = WORDS[language]
        landmarks = [
            VERDICT[language],
            "86.4 %",
            *(section.title for section in sample.sections),
            sample.findings[0].message,
            next(iter(sample.facts)),
        ]
        assert [page.find(mark) for mark in landmarks] == sorted(page.find(mark) for mark in landmarks)
        assert -1 not in [page.find(mark) for mark in landmarks]
        assert words.gate in page
        assert all(label in page for label in LABELS[language])

    def test_a_score_is_shown_with_interval_signature_baseline_and_warning(self):
        sample = sample_report("en")
        page = render_report(sample)
        text = " ".join("".join(Page(page).text).split())
        assert "[83.7, 89.1]" in text
        assert "95 % interval · 612 rows" in text
        assert "TF-IDF + logistic regression" in text
        assert sample.headline["accuracy"].signature in text
        assert text.count(sample.headline["ece"].warning) == 1

    def test_warnings_of_a_table_are_written_below_it_once(self):
        care = Score(0.4, 0.3, 0.5, 9, "f1|v1", "few rows")
        page = render_report(report(Grid(("class", "F1"), (("a", care), ("b", care)))))
        assert page.count("few rows") == 1
        assert page.count('<sup class="mark">1</sup>') == 2

    def test_numbers_are_right_aligned_and_words_are_not(self):
        page = render_report(report(Grid(("class", "rows"), (("a", 1234), ("b", 5)))))
        assert '<th scope="col" class="number"><bdi>rows' in page
        assert '<th scope="col"><bdi>class' in page
        assert "1,234" in page

    def test_the_gate_shows_the_worst_first_and_some_of_the_rows(self):
        findings = (
            Finding("imbalance", "info", "m1", "f1"),
            Finding("leakage", "error", "m2", "f2", "test", tuple(range(25))),
        )
        page = render_report(report(findings=findings, rows=1000))
        assert page.index("leakage") < page.index("imbalance")
        assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 15 more" in page
        assert "No problems found in 1,000 rows." in render_report(report(rows=1000))

    @pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
    def test_a_run_that_did_not_end_well_says_so(self, status):
        assert WORDS["en"].status[status] in render_report(report(status=status))
        assert 'class="banner"' not in render_report(report(status="done"))

    def test_text_left_out_is_said(self):
        assert "(text left out)" in render_report(report(Quote("", {"row": "3"})))

    def test_the_same_contents_give_the_same_bytes(self):
        assert render_report(sample_report("zh")) == render_report(sample_report("zh"))


class TestLanguages:
    def test_no_english_word_is_left_in_the_chinese_one(self):
        english, chinese = WORDS["en"], WORDS["zh"]
        every = [(english, chinese, field) for field in fields(english) if field.name != "training"]
        every += [(english.training, chinese.training, field) for field in fields(english.training)]
        for one, other, field in every:
            ours, theirs = getattr(one, field.name), getattr(other, field.name)
            if isinstance(ours, str):
                assert set(re.findall(r"{\w+}", ours)) == set(re.findall(r"{\w+}", theirs)), field.name
                assert ours != theirs or ours.startswith("{"), field.name
            else:
                assert ours.keys() == theirs.keys(), field.name

    def test_the_page_says_its_language(self):
        assert '<html lang="zh-Hans">' in render_report(report(language="zh"))
        assert '<html lang="en">' in render_report(report())


class TestScores:
    @pytest.mark.parametrize(
        ("score", "text"),
        [
            (Score(0.864, 0.821, 0.898, 9, "accuracy|v1"), "86.4 % [82.1, 89.8]"),
            (Score(0.864, 0.821, 0.898, 9, "f1/好|v1"), "86.4 % [82.1, 89.8]"),
            (Score(0.312, 0.3, 0.33, 9, "log_loss|v1"), "0.312 [0.300, 0.330]"),
            (Score(-0.05, -0.1, 0.0, 9, "mcc|v1"), "−0.050 [−0.100, 0.000]"),
            (Score(0.5, 0.5, 0.5, 9, "precision_macro|v1"), "50.0 %"),
            (Score(float("nan"), 0.1, float("nan"), 9, "auroc|v1"), "–"),
            (Score(12345.6, 12000.0, 13000.5, 9, "mse|v1"), "12,345.6 [12,000, 13,000.5]"),
            (Score(1.0, 0.9, 1.0, 9, "f1ish|v1"), "1.000 [0.900, 1.000]"),
            (Score(0.233, 0.201, 0.27, 9, "bleu|sacrebleu"), "23.3 % [20.1, 27.0]"),
            (Score(0.41, 0.4, 0.42, 9, "rougeLsum|f-measure"), "41.0 % [40.0, 42.0]"),
            (Score(1.0, 0.6, 1.0, 9, "run_on|ended:length"), "100.0 % [60.0, 100.0]"),
            (Score(1.25, 1.2, 1.3, 9, "length_ratio|units"), "1.250 [1.200, 1.300]"),
        ],
    )
    def test_text(self, score, text):
        assert score_text(score) == text


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


class TestContrast:
    """WCAG 2.2 AA: 4.5 for text, 3 for the lines of a chart."""

    @pytest.fixture(params=[0, 1], ids=["light", "dark"])
    def colours(self, request):
        page = render_report(report())
        scheme = re.findall(r":root \{(.*?)\}", page, re.DOTALL)[request.param]
        return dict(re.findall(r"--([\w-]+): (#\w{6});", scheme))

    def test_text(self, colours):
        for name in ("text", "muted", "accent", "error", "warning", "info"):
            assert contrast(colours[name], colours["page"]) >= 4.5, name
        assert contrast(colours["text"], colours["soft"]) >= 4.5

    def test_lines(self, colours):
        for number in range(6):
            assert contrast(colours[f"c{number}"], colours["page"]) >= 3, number

    def test_numbers_in_cells(self, colours):
        for number in range(7):
            on = colours["on-low" if number < 4 else "on-high"]
            assert contrast(on, colours[f"h{number}"]) >= 4.5, number


def test_the_hostile_report_holds_what_it_should():
    assert BAD in hostile_report().title
