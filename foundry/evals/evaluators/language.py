"""Evaluator `language`: the share of answers that are clean in the language asked for.

For `zh-TW`, clean is: Chinese characters at least as many as foreign words (`least`), no kana,
Hangul or other script, no Simplified character and no mainland word
(`foundry.evals.taiwanese`). For `en`: Latin letters alone. Foreign words of the question and of
the reference do not count against an answer that copies them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pydantic import Field

from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Number
from foundry.core.language import gettext as _
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion, Table
from foundry.evals.parts import InParts
from foundry.evals.taiwanese import Found, mainland_words, vocabulary
from foundry.evals.writing import Language, Writing, excused_units, writing

version = 1
TITLE = {"en": "Written as in Taiwan", "zh-TW": "用字用語正確"}
EXPLAIN = {
    "en": "The answer is in the language asked for; in Chinese, without Simplified characters, "
    "mainland words or another script. Mainland words are those of a dated list: a word that "
    "Taiwan uses too, in another sense, is not seen.",
    "zh-TW": "答案使用指定的語言；中文則沒有簡體字、中國大陸用語或其他文字。中國大陸用語以註明"
    "日期的清單為準：台灣也使用、但意思不同的詞（例如「質量」）看不出來。",
}
LANGUAGES: Mapping[str, Language] = {"zh-TW": "zh-TW", "en": "en"}


class Spec(InParts):
    """The language asked for."""

    language: Language = Field("zh-TW", description="Language the answers should be in.")
    column: str | None = Field(
        None,
        min_length=1,
        description="Column with a row's own language, `zh-TW` or `en`; `language` where empty.",
    )
    least: Number = Field(
        0.5,
        ge=0,
        le=1,
        description="Least share of the language among Chinese characters and foreign words.",
    )


def settle(items: Sequence[Item], spec: Spec) -> Spec:
    """The spec as it is.

    Raises:
        RecipeError: A row asks for a language that is not known; names each such value.
    """
    unknown = {_asked(item, spec) for item in items if item.is_in(spec.parts)} - {*LANGUAGES}
    what, fix = _("unknown language `{value}`"), _("write `zh-TW` or `en`, or leave it empty")
    if unknown:
        where = f"evals.language.{spec.column}"
        raise RecipeError([Problem(where, what.format(value=v), fix) for v in sorted(unknown)])
    return spec


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer is clean, else 0.0; an answer that says nothing is not clean."""
    found = _written(item, answer, spec)
    if found is None:
        return None
    return float(
        found.is_in_language(spec.least) and not found.simplified and not _mainland(item, found)
    )


def simplified_leakage(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer holds a Simplified character or word; None where English is asked for."""
    found = _written(item, answer, spec)
    if found is None or _asked(item, spec) != "zh-TW":
        return None
    return float(bool(found.simplified))


def mainland_vocabulary(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer holds a mainland word that the reference has not; None in English."""
    found = _written(item, answer, spec)
    if found is None or _asked(item, spec) != "zh-TW":
        return None
    return float(bool(_mainland(item, found)))


def wrong_language(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer says nothing, too little in the language, or holds another script."""
    found = _written(item, answer, spec)
    return None if found is None else float(not found.is_in_language(spec.least))


def tables(items: Sequence[Item], answers: Sequence[Answer], spec: Spec) -> list[Table]:
    """What leaked, the commonest first, and in how many answers."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for item, answer in zip(items, answers, strict=True):
        found = _written(item, answer, spec)
        if found is not None:
            counts.update((SIMPLIFIED, *pair) for pair in found.simplified.items())
            counts.update((MAINLAND, *pair) for pair in _mainland(item, found).items())
            counts.update((FOREIGN, unit, "") for unit in found.foreign)
    rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:ROWS]
    return [
        Table(
            name="leaked",
            title={"en": "What leaked", "zh-TW": "出現了哪些不該出現的字詞"},
            explain={
                "en": f"At most {ROWS} rows. The list of mainland words is of {_dated()}.",
                "zh-TW": f"最多 {ROWS} 列。中國大陸用語清單的日期是 {_dated()}。",
            },
            columns=HEADS,
            rows=tuple((KINDS[kind], word, taiwan, n) for (kind, word, taiwan), n in rows),
        )
    ]


ROWS = 30
SIMPLIFIED, MAINLAND, FOREIGN = "simplified", "mainland", "foreign"
KINDS = {
    SIMPLIFIED: {"en": "Simplified", "zh-TW": "簡體字"},
    MAINLAND: {"en": "mainland word", "zh-TW": "中國大陸用語"},
    FOREIGN: {"en": "other script", "zh-TW": "其他文字"},
}
HEADS = (
    {"en": "Kind", "zh-TW": "種類"},
    {"en": "In the answer", "zh-TW": "答案裡"},
    {"en": "In Taiwan", "zh-TW": "台灣寫法"},
    {"en": "Answers", "zh-TW": "答案數"},
)
COMPANIONS = (
    Companion(
        name="simplified-leakage",
        title={"en": "Simplified characters", "zh-TW": "夾雜簡體字"},
        explain={
            "en": "The answer holds a character or word in Simplified; the fewer the better.",
            "zh-TW": "答案夾雜簡體字；越少越好。",
        },
        score=simplified_leakage,
        lower_is_better=True,
    ),
    Companion(
        name="mainland-vocabulary",
        title={"en": "Mainland words", "zh-TW": "使用中國大陸用語"},
        explain={
            "en": "The answer holds a word of the mainland that the reference has not; the fewer "
            "the better.",
            "zh-TW": "答案用了標準答案沒有的中國大陸用語；越少越好。",
        },
        score=mainland_vocabulary,
        lower_is_better=True,
    ),
    Companion(
        name="wrong-language",
        title={"en": "In the wrong language", "zh-TW": "語言不對"},
        explain={
            "en": "The answer is empty, mostly in another language, or holds another script; the "
            "fewer the better.",
            "zh-TW": "答案是空的、大半是另一種語言，或夾雜其他文字；越少越好。",
        },
        score=wrong_language,
        lower_is_better=True,
    ),
)


def _dated() -> str:
    return vocabulary().date


def _asked(item: Item, spec: Spec) -> str:
    own = item.example.fields.get(spec.column, "").strip() if spec.column else ""
    return own or spec.language


def _written(item: Item, answer: Answer, spec: Spec) -> Writing | None:
    if not item.is_in(spec.parts):
        return None
    return _looked_at(answer.text, LANGUAGES[_asked(item, spec)], excused_units(item))


@lru_cache(maxsize=4096)
def _looked_at(text: str, language: Language, excused: frozenset[str]) -> Writing:
    """Each answer is looked at for four metrics and a table."""
    return writing(text, language, excused=excused)


def _mainland(item: Item, found: Writing) -> Found:
    """The mainland words that the row's own answer does not say."""
    if not found.mainland:
        return {}
    wanted = mainland_words(item.example.answer)
    return {word: taiwan for word, taiwan in found.mainland.items() if word not in wanted}
