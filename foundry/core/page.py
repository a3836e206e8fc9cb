"""The frame of every page we write: one self-contained file, every language, no request.

What stands in a page came from strangers (rows, templates, answers of models). Everything is
escaped, an undefined name is an error, and control characters are shown instead of obeyed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TAGS = {"zh-TW": "zh-Hant-TW", "en": "en"}
NAMES = {"zh-TW": "中文", "en": "English"}
STYLE = Path(__file__).with_name("page.css")
SHOWN_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {
    0x7F: 0x2421
}
"""Control characters become their Unicode pictures (U+2400 block)."""


def render(
    template: Path, style: Path, filters: Mapping[str, Callable[..., Any]], /, **values: Any
) -> str:
    """The page that `template` makes of `values`.

    Args:
        template: A Jinja file; it has the filter `visible` beside `filters`, and the names `tags`,
            `names` and `style` beside `values`.
        style: The page's own rules, which come after those of every page.
        filters: Filters by name.
        values: What the template shows.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"visible": visible, **filters}
    rules = STYLE.read_text(encoding="utf-8") + style.read_text(encoding="utf-8")
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        tags=TAGS,
        names=NAMES,
        style=Markup(rules),  # our own files
        **values,
    )


def visible(text: str) -> str:
    """`text` with control characters shown as symbols."""
    return text.translate(SHOWN_CONTROLS)
