"""The report in a real browser, as narrow as a phone gets."""

import datetime
import html
import json
import re
import shutil
import subprocess

import pytest
from report_hostile import hostile_report
from report_samples import sample_report

from event_samples import training_rows
from supertune.runs import Course, progress_report, render_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = [
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--virtual-time-budget=4000",
]

# The frames take over the origin of this page, so that it may measure what is inside; the reports run no script.
MEASURE = """
<script>
onload = () => {
  const measured = [...document.querySelectorAll("iframe")].map(frame => {
    const inner = frame.contentDocument, root = inner.documentElement;
    return {
      name: frame.title,
      width: root.scrollWidth,
      screen: root.clientWidth,
      pictures: inner.querySelectorAll("svg[role=img]").length,
      drawn: [...inner.querySelectorAll("svg")].every(svg => svg.getBoundingClientRect().width > 250),
      sections: inner.querySelectorAll("section").length,
      smallest: Math.min(...[...inner.querySelectorAll("svg text")].map(text =>
        parseFloat(inner.defaultView.getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a)),
    };
  });
  document.title = JSON.stringify(measured);
};
</script>
"""


def live_report(language):
    return progress_report(
        Course(training_rows(epochs=3, steps_per_epoch=20, planned=7)),
        title="classification-2026-01-31-120000",
        metric="f1_macro",
        # One that is running would load itself again while it is measured.
        status="interrupted",
        at=datetime.datetime(2026, 1, 31, 12, 0, 6),
        language=language,
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    if BROWSER is None:
        pytest.skip("no Chromium here")
    folder = tmp_path_factory.mktemp("browser")
    reports = {
        "en": sample_report("en"),
        "zh": sample_report("zh"),
        "hostile": hostile_report(),
        "live-en": live_report("en"),
        "live-zh": live_report("zh"),
    }
    frames = "".join(
        f'<iframe title="{name}-{width}" width="{width}" height="800" style="border:0" '
        f'srcdoc="{html.escape(render_report(report))}"></iframe>'
        for name, report in reports.items()
        for width in (360, 1200)
    )
    page = folder / "measure.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>-</title>{frames}{MEASURE}", "utf-8")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        timeout=120,
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout.decode("utf-8", "replace"), re.DOTALL)
    assert title, done.stderr.decode()[-2000:]
    return {one["name"]: one for one in json.loads(html.unescape(title.group(1)))}


@pytest.mark.parametrize("name", ["en", "zh", "hostile", "live-en", "live-zh"])
@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_wider_than_the_screen(measured, name, width):
    one = measured[f"{name}-{width}"]
    assert one["screen"] == width
    assert one["width"] <= width


@pytest.mark.parametrize("name", ["en", "zh", "hostile"])
def test_everything_is_there_and_can_be_read(measured, name):
    for width in (360, 1200):
        one = measured[f"{name}-{width}"]
        assert one["pictures"] >= 6
        assert one["drawn"]
        assert one["sections"] >= 4
        assert one["smallest"] >= 9


@pytest.mark.parametrize("name", ["live-en", "live-zh"])
def test_the_pictures_of_a_run_in_progress_can_be_read(measured, name):
    for width in (360, 1200):
        one = measured[f"{name}-{width}"]
        assert (one["pictures"], one["drawn"]) == (3, True)
        assert one["smallest"] >= 9
