"""Pictures of a run's report for the docs, as a desk and a phone show it.

    python scripts/screenshots.py runs/retail-customer-service-*/evals/report.html docs/images

Wants Debian's chromium and fonts-noto-cjk, and playwright of the extra `dev`.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

DESK, PHONE = (880, 1000), (375, 800)


def main(report: Path, folder: Path) -> None:
    """Write `report-owner.png`, `report-questions.png` and `report-phone.png`."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        desk = _opened(chromium, report, DESK)
        desk.screenshot(path=folder / "report-owner.png")
        desk.evaluate("document.querySelector('.kind').scrollIntoView()")
        desk.screenshot(path=folder / "report-questions.png")
        phone = _opened(chromium, report, PHONE)
        phone.screenshot(path=folder / "report-phone.png")
        chromium.close()


def _opened(chromium: Any, report: Path, size: tuple[int, int]) -> Any:
    width, height = size
    page = chromium.new_page(viewport={"width": width, "height": height})
    page.goto(report.resolve().as_uri())
    return page


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
