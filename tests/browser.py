"""Pages as Chromium shows them: from disk, network denied, on a phone, in the dark and on paper.

`needs_browser` skips where Playwright, Chromium or a Chinese font is missing; `apt-get install
chromium fonts-noto-cjk` brings the last two, as `.ci/run` does.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def _has_chinese_font() -> bool:
    listing = shutil.which("fc-list")
    return listing is not None and bool(subprocess.check_output([listing, ":lang=zh-tw"]))


needs_browser = pytest.mark.skipif(
    CHROMIUM is None or find_spec("axe_playwright_python") is None or not _has_chinese_font(),
    reason="no chromium or no Chinese font: apt-get install chromium fonts-noto-cjk",
)
# No name is resolved at all, so that not even the browser's own services are asked.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"),
]
PHONE, DESK, PAPER = 360, 1280, 718  # pixels of CSS; A4 less 10 mm on each side is 718 wide

FOLD = "open => document.querySelectorAll('details').forEach(one => one.open = open)"
BEYOND = """() => [...document.querySelectorAll('main:not([hidden]) *')]
  .filter(one => one.checkVisibility() && !one.closest('svg') && !one.closest('.scroll')
                 && one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(one => one.outerHTML.slice(0, 200))"""
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOWN = (
    "() => [...document.querySelectorAll('main')].filter(m => m.checkVisibility()).map(m => m.lang)"
)


@dataclass
class Look:
    """What was seen of a page: `(width, theme, language)` names a view."""

    languages: list[str] = field(default_factory=list)
    shown: dict[Any, list[str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    beyond: dict[Any, list[str]] = field(default_factory=dict)
    wider: dict[Any, int] = field(default_factory=dict)
    printed: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, offline."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def look_at(file: Path) -> Look:
    """Every language of a page on a phone, in the dark on a desk, and printed."""
    look = Look()
    with browser() as chromium:
        for width, theme in ((PHONE, "light"), (DESK, "dark")):
            context = chromium.new_context(
                viewport={"width": width, "height": 800}, color_scheme=theme, offline=True
            )
            page = context.new_page()
            page.on("request", lambda request: look.requests.append(request.url))
            page.on("pageerror", lambda error: look.errors.append(str(error)))
            page.on("console", lambda said: look.errors.append(said.text))
            page.goto(file.as_uri())
            page.evaluate(FOLD, True)
            look.languages = page.eval_on_selector_all("main", "all => all.map(one => one.lang)")
            for number, language in enumerate(look.languages):
                _choose(page, number)
                _see(look, page, (width, theme, language))
            context.close()
    return look


def _choose(page: Any, number: int) -> None:
    labels = page.locator(".switch label")
    if labels.count():
        labels.nth(number).click()


def _see(look: Look, page: Any, view: tuple[int, str, str]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    look.shown[view] = page.evaluate(SHOWN)
    look.wider[view] = page.evaluate(WIDER)
    look.beyond[view] = page.evaluate(BEYOND)
    for found in Axe().run(page).response["violations"]:
        nodes = [node["html"][:200] for node in found["nodes"][:3]]
        look.violations.append(f"{found['impact']} {found['id']} {view}: {nodes}")
    if view[0] == DESK:
        page.emulate_media(media="print")
        page.set_viewport_size({"width": PAPER, "height": 1000})
        look.beyond["print", view[2]] = page.evaluate(BEYOND)
        page.evaluate(FOLD, False)  # as people print it
        look.printed[view[2]] = page.pdf(format="A4")
        page.evaluate(FOLD, True)
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": DESK, "height": 800})


def check(look: Look, file: Path) -> None:
    """What every page of ours must hold."""
    assert look.errors == []
    assert {*look.requests} == {file.as_uri()}
    assert look.violations == []
    assert {view: wide for view, wide in look.wider.items() if wide > 0} == {}
    assert {view: found for view, found in look.beyond.items() if found} == {}
    assert all(shown == [view[2]] for view, shown in look.shown.items())


def text_of(pdf: bytes) -> str:
    """The words on every sheet of a PDF."""
    import pypdfium2

    with pypdfium2.PdfDocument(pdf) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
