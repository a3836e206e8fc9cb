"""The look at pages sees what is wrong with one, so that a clean page means something."""

import pytest

from tests.browser import browser, check, look_at, needs_browser, text_of

pytestmark = needs_browser

GOOD = (
    '<!doctype html><html lang="en"><head><title>t</title></head><body><main lang="en">'
    "<h1>Report</h1>{}</main></body></html>"
)


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ('<img alt="x" src="http://evil.example/x.png">', "errors"),
        ("<script>throw new Error('broken')</script>", "errors"),
        ('<p style="color:#bbb;background:#fff">faint</p>', "violations"),
        ('<svg role="img"><rect width="9" height="9"/></svg>', "violations"),
        ('<div style="width:900px">wide</div>', "beyond"),
        ("<details><summary>s</summary><pre>" + "x" * 400 + "</pre></details>", "wider"),
    ],
)
def test_what_is_wrong_with_a_page_is_seen(tmp_path, body, seen):
    page = tmp_path / "page.html"
    page.write_text(GOOD.format(body), encoding="utf-8")

    look = look_at(page)

    found = getattr(look, seen)
    assert any(found.values()) if isinstance(found, dict) else found
    with pytest.raises(AssertionError):
        check(look, page)


def test_clean_page_passes_and_prints(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(GOOD.format("<p>保固一年</p>"), encoding="utf-8")

    look = look_at(page)

    check(look, page)
    assert "保固一年" in text_of(look.printed["en"])


def test_network_is_denied():
    with browser() as chromium:
        page = chromium.new_page()
        with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
            page.goto("http://example.com/")
