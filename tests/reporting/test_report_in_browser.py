"""A report as a browser shows it, where Chromium is installed."""

import json
import re
import subprocess

import pytest

from tests.browser import CHROMIUM, QUIET_FLAGS
from tests.small_reports import report_lines, train_small_run

FLAGS = [*QUIET_FLAGS, "--enable-logging=stderr"]
# A part of the test, not of the page: what the browser made of it.
PROBE = """
<script>
// All at once, when the page is loaded: Chromium writes down the page after that.
addEventListener("load", () => {
  const images = [...document.images];
  const shown = images.map(image => image.currentSrc);
  const brush = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const isDrawn = image => {
    brush.clearRect(0, 0, 64, 64);
    brush.drawImage(image, 0, 0, 64, 64);
    return brush.getImageData(0, 0, 64, 64).data.some(value => value > 0);
  };
  document.documentElement.dataset.probe = JSON.stringify({
    images: images.length,
    decoded: images.filter(isDrawn).length,
    visible: images.filter(image => image.getBoundingClientRect().width > 50).length,
    dark: images.filter((image, i) => image.previousElementSibling
      && image.previousElementSibling.srcset === shown[i]).length,
    themed: document.querySelectorAll("picture").length,
    background: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    resources: performance.getEntriesByType("resource")
      .filter(entry => !entry.name.startsWith("data:")).length,
  });
});
</script>
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module", name="page")
def fixture_page(tmp_path_factory):
    train_dir = tmp_path_factory.mktemp("browser") / "run"
    train_small_run(train_dir)
    report_lines(train_dir)
    return train_dir / "report.html"


def seen_in_browser(page, directory, *flags):
    """What the browser reports of a page, a dict, and its log."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    probed = directory / "probed.html"
    probed.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    process = subprocess.run(
        [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={directory / 'profile'}", "--dump-dom",
         f"file://{probed}"],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    found = re.search(r'data-probe="([^"]*)"', process.stdout)
    assert found, process.stderr[-2000:]
    return json.loads(found[1].replace("&quot;", '"')), process.stderr


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 500)])
def test_the_page_is_shown_whole_in_both_themes(page, tmp_path, theme, width):
    # 0 is the number of the dark scheme, 1 that of the light one.
    scheme = f"--blink-settings=preferredColorScheme={int(theme == 'light')}"
    seen, log = seen_in_browser(page, tmp_path, scheme, f"--window-size={width},900")
    assert "CONSOLE" not in log
    assert seen["images"] == seen["decoded"] == seen["visible"] > 10
    assert seen["dark"] == (seen["themed"] if theme == "dark" else 0)
    brightness = {
        name: sum(map(int, re.findall(r"\d+", seen[name])[:3])) for name in ("background", "ink")
    }
    assert (brightness["background"] > brightness["ink"]) == (theme == "light")
    # Nothing but the boxes that are meant to scrolls sideways.
    assert seen["overflow"] == 0
    assert seen["resources"] == 0


def test_the_page_as_it_is_has_no_errors(page, tmp_path):
    picture = tmp_path / "page.png"
    process = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}",
         "--window-size=1280,2000", f"file://{page}"],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in process.stderr
    assert picture.stat().st_size > 50_000
