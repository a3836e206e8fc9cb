"""The control questions that show what training took away, read from the JSON lines beside this.

They were written for this project (CC0-1.0) and taken from no benchmark: 224 of them, 14 per kind
and language, each answerable in a few words and checked by a rule, and two more of each to show
solved.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path

FOLDER = Path(__file__).parent
LETTERS = "ABCD"
KINDS = (
    "taiwan",
    "knowledge",
    "arithmetic",
    "reading",
    "format",
    "wording",
    "translation",
    "sense",
)
LANGUAGES = ("zh-TW", "en")
ORDERS = {
    "choice": {"zh-TW": "請只寫出正確的選項。", "en": "Write only the right option."},
    "short": {"zh-TW": "請只寫答案。", "en": "Write only the answer."},
    "translation": {"zh-TW": "請只寫譯文。", "en": "Write only the translation."},
}
"""What is asked for below a question; a `pattern` says in its question what is wanted."""


@dataclass(frozen=True)
class Control:
    """A question, an answer that is right, and the one rule that tells right from wrong.

    The rule is the one of these that is set: `choices` (of which `answer` is the place, A to D, and
    the answer must name that one alone), `pattern` (the whole answer matches it), `words` (one of
    each tuple stands in it), `number` (the only one in it that the question does not give) and
    `accept` (one of them is in it, before any of `not_before`). Questions of one `group` are about
    one fact or one text, so an interval draws them together.
    """

    id: str
    kind: str
    language: str
    group: str
    question: str
    answer: str
    choices: tuple[str, ...] = ()
    pattern: str = ""
    words: tuple[tuple[str, ...], ...] = ()
    number: str = ""
    accept: tuple[str, ...] = ()
    not_before: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The right answer in words."""
        return self.choices[LETTERS.index(self.answer)] if self.choices else self.answer

    @property
    def asked(self) -> str:
        """The text of the user's turn."""
        if self.pattern:
            return self.question
        if self.choices:
            options = [f"- {text}" for text in self.choices]
            return "\n".join([self.question, *options, ORDERS["choice"][self.language]])
        order = ORDERS["translation" if self.words else "short"][self.language]
        return f"{self.question}\n{order}"


@cache
def controls() -> tuple[Control, ...]:
    """Every control question, kind by kind."""
    return tuple(control for kind in KINDS for control in _read(FOLDER / f"{kind}.jsonl"))


@cache
def by_id() -> dict[str, Control]:
    """Every control question by its id."""
    return {control.id: control for control in controls()}


def sample(size: int | None) -> list[Control]:
    """At most `size` questions, None for all: kinds and languages in turn, each in its own order.

    A smaller sample is the beginning of a larger one, and the same for every model and recipe.
    """
    cells = [
        [c for c in controls() if (c.kind, c.language) == (kind, language)]
        for kind in KINDS
        for language in LANGUAGES
    ]
    dealt = [c for round_ in zip_longest(*cells) for c in round_ if c is not None]
    return dealt if size is None else dealt[:size]


@cache
def shots(kind: str, language: str) -> tuple[Control, ...]:
    """Two solved questions to show before one of its kind and language; they are never scored."""
    shown = _read(FOLDER / "shots.jsonl")
    return tuple(c for c in shown if (c.kind, c.language) == (kind, language))


def _read(path: Path) -> Sequence[Control]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_control(json.loads(line)) for line in lines]


def _control(record: dict[str, object]) -> Control:
    lists = {key: value for key, value in record.items() if isinstance(value, list)}
    frozen = {
        key: tuple(tuple(one) if isinstance(one, list) else one for one in value)
        for key, value in lists.items()
    }
    return Control(**{**record, **frozen})  # type: ignore[arg-type]
