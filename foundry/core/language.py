"""Which language a person reads: gettext over `foundry/locale`, English in the source.

Wrap every sentence a person sees: `_("no such file: {path}").format(path=path)`. Placeholders are
named so that a translation may reorder them. The language is looked up at each call because the
command line may choose it after modules were imported.
"""

import gettext as _gettext
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LOCALE_DIR = Path(__file__).resolve().parent.parent / "locale"
LANGUAGES = ("en", "zh_TW")
TAGS = {"en": "en", "zh_TW": "zh-TW"}  # as documents write them (BCP 47)
_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)


def language() -> str:
    """The language in force, `en` or `zh_TW`: `speaking`, `FOUNDRY_LANG`, the terminal's locale."""
    wanted = _spoken.get() or os.environ.get("FOUNDRY_LANG") or _terminal_locale()
    return "zh_TW" if wanted.lower().replace("-", "_").startswith("zh") else "en"


def tag() -> str:
    """The language in force as documents write it, `en` or `zh-TW`."""
    return TAGS[language()]


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Let `name`, one of `LANGUAGES`, be the language in force, for a text in every language."""
    before = _spoken.set(name)
    try:
        yield
    finally:
        _spoken.reset(before)


def gettext(message: str) -> str:
    """`message` in the language in force; itself where no translation exists."""
    return message if language() == "en" else _catalogue(language()).gettext(message)


def gettext_in(name: str, message: str) -> str:
    """`message` in the language `name`, for reports that hold every language at once."""
    return message if name == "en" else _catalogue(name).gettext(message)


def _terminal_locale() -> str:
    return next((os.environ[k] for k in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(k)), "")


@cache
def _catalogue(name: str) -> _gettext.NullTranslations:
    return _gettext.translation("foundry", str(LOCALE_DIR), languages=[name], fallback=True)
