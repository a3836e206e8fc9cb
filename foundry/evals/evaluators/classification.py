"""Evaluator `classification`: the answer names the right label and no other.

The main score is accuracy. Macro F1 weighs every label alike, so that a rare one counts as much
as a common one: the plain mean over the labels that occur in the references of
2 · right / (references + answers). An answer that names no label, or several, is unparsed: wrong,
and counted apart.

Source: Opitz & Burst (2019), "Macro F1 and Macro F1", arXiv 1911.03347, the mean of F1 scores.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Many
from foundry.core.language import gettext as _
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion, Counts, PooledCompanion, Sums, Table, share
from foundry.evals.naming import alike, named_in
from foundry.evals.parts import InParts

if TYPE_CHECKING:
    from foundry.evals.companions import Array

version = 1
TITLE = {"en": "Right label", "zh-TW": "分類正確"}
EXPLAIN = {
    "en": "The answer names the right label and no other; width, case, spaces and punctuation do "
    "not count.",
    "zh-TW": "答案說出正確的類別，而且只說這一個；全形半形、大小寫、空白和標點不計。",
}
MOST_IN_GRID = 12
"""With more labels than these the table lists the confusions instead of a cell for each pair."""
UNPARSED = {"en": "(no label, or several)", "zh-TW": "（沒說或說了好幾個）"}


class Spec(InParts):
    """Which labels there are, and which test parts to score."""

    labels: Many[str] | None = Field(
        None,
        min_length=1,
        description="The labels an answer may name; those of the test rows where absent.",
    )


def settle(items: Sequence[Item], spec: Spec) -> Spec:
    """The spec with its labels.

    Raises:
        RecipeError: A label cannot be told from another, or a test row has one that is not listed.
    """
    answers = [item.example.answer.strip() for item in items if _applies(item, spec)]
    labels = tuple(sorted({*answers})) if spec.labels is None else spec.labels
    where = "evals.classification"
    what = _("the label `{label}` cannot be told from another, or has no letter or digit")
    fix = _("give each label a name of its own")
    problems = [Problem(where, what.format(label=label), fix) for label in alike(labels)]
    missing = sorted({label for label in answers if len(named_in(label, labels)) != 1})
    if missing and not problems:
        what = _("{n} labels of the test rows are not listed (the first is `{label}`)")
        fix = _("add them to `labels`")
        problems.append(Problem(where, what.format(n=len(missing), label=missing[0]), fix))
    if problems:
        raise RecipeError(problems)
    return spec.model_copy(update={"labels": labels})


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer names the item's label alone, else 0.0."""
    if not _applies(item, spec):
        return None
    return float(_said(answer.text, spec) == _said(item.example.answer, spec))


def tables(items: Sequence[Item], answers: Sequence[Answer], spec: Spec) -> tuple[Table, ...]:
    """The confusions, and each label's precision, recall and F1."""
    pairs = Counter(
        (_said(item.example.answer, spec), _said(answer.text, spec))
        for item, answer in zip(items, answers, strict=True)
    )
    return _confusions(pairs, spec), _by_label(pairs, spec)


def _said(text: str, spec: Spec) -> str | None:
    """The one label that a text names."""
    named = named_in(text, spec.labels or ())
    return named[0] if len(named) == 1 else None


def _applies(item: Item, spec: Spec) -> bool:
    """Whether the item is asked for and has a label."""
    return item.is_in(spec.parts) and bool(item.example.answer.strip())


def _parsed(item: Item, answer: Answer, spec: Spec) -> float | None:
    return float(_said(answer.text, spec) is not None) if _applies(item, spec) else None


def _observe(item: Item, answer: Answer, spec: Spec) -> Counts | None:
    if not _applies(item, spec):
        return None
    wanted, said = _said(item.example.answer, spec), _said(answer.text, spec)
    counts = {f"wanted {wanted}": 1}
    if said is not None:
        counts[f"said {said}"] = 1
    if said == wanted:
        counts[f"right {wanted}"] = 1
    return counts


def _macro_f1(sums: Sums) -> "Array | float":
    """The mean over the labels that a set has."""
    total: Array | float = 0.0
    labels: Array | float = 0.0
    for name, wanted in sums.items():
        kind, label = name.split(" ", 1)
        if kind == "wanted":
            both = wanted + sums.get(f"said {label}", 0.0)
            is_there = wanted > 0
            total = total + is_there * share(2 * sums.get(f"right {label}", 0.0), both)
            labels = labels + is_there
    return share(total, labels)


def _confusions(pairs: Counter[tuple[str | None, str | None]], spec: Spec) -> Table:
    labels = spec.labels or ()
    title = {"en": "What was said for what", "zh-TW": "哪一類被說成哪一類"}
    if len(labels) <= MOST_IN_GRID:
        explain = {
            "en": "A row per right label, a column per label said.",
            "zh-TW": "每列是正確的類別，每欄是答案說的類別。",
        }
        heads = ({"en": "Right label", "zh-TW": "正確類別"}, *labels, UNPARSED)
        rows = [(w, *(pairs[w, s] for s in (*labels, None))) for w in labels]
        return Table("confusion", title, explain, heads, tuple(rows))
    explain = {
        "en": "Every wrong answer, the most frequent confusion first.",
        "zh-TW": "所有答錯的題目，最常見的混淆在前。",
    }
    heads = (
        {"en": "Right label", "zh-TW": "正確類別"},
        {"en": "Said", "zh-TW": "答案說的"},
        {"en": "Times", "zh-TW": "次數"},
    )
    wrong = [(w or "", s, n) for (w, s), n in pairs.items() if w != s]
    wrong.sort(key=lambda row: (-row[2], row[0], row[1] or ""))
    listed = tuple((w, UNPARSED if s is None else s, n) for w, s, n in wrong)
    return Table("confusion", title, explain, heads, listed)


def _by_label(pairs: Counter[tuple[str | None, str | None]], spec: Spec) -> Table:
    wanted, said = Counter[str | None](), Counter[str | None]()
    for (label, answer), n in pairs.items():
        wanted[label] += n
        said[answer] += n
    rows = []
    for label in spec.labels or ():
        right = pairs[label, label]
        precision = right / said[label] if said[label] else 0.0
        recall = right / wanted[label] if wanted[label] else 0.0
        f1 = float(share(2 * right, wanted[label] + said[label]))
        numbers = (round(number, 6) for number in (precision, recall, f1))
        rows.append((label, wanted[label], said[label], right, *numbers))
    heads = (
        {"en": "Label", "zh-TW": "類別"},
        {"en": "Questions", "zh-TW": "題數"},
        {"en": "Said", "zh-TW": "說了幾次"},
        {"en": "Right", "zh-TW": "答對"},
        {"en": "Precision", "zh-TW": "精確率"},
        {"en": "Recall", "zh-TW": "召回率"},
        {"en": "F1", "zh-TW": "F1 分數"},
    )
    title = {"en": "Each label", "zh-TW": "各類別"}
    explain = {
        "en": "Precision: of the times it was said, how often it was right. Recall: of its "
        "questions, how many were found. F1: their harmonic mean.",
        "zh-TW": "精確率：說了這一類時有多少是對的。召回率：這一類的題目找出了多少。"
        "F1：兩者的調和平均。",
    }
    return Table("by-label", title, explain, heads, tuple(rows))


COMPANIONS = (
    PooledCompanion(
        "classification-macro-f1",
        {"en": "Macro F1", "zh-TW": "類別平均 F1（macro F1）"},
        {
            "en": "The mean of the F1 of every label, so that rare labels count as much as common "
            "ones.",
            "zh-TW": "各類別 F1 的平均；少見的類別和常見的一樣重要。",
        },
        _observe,
        _macro_f1,
    ),
    Companion(
        "classification-parse-rate",
        {"en": "Names one label", "zh-TW": "說出唯一的類別"},
        {
            "en": "The answer names exactly one of the labels there are, right or wrong.",
            "zh-TW": "答案說出現有類別中的一個，而且只有一個，不論對錯。",
        },
        _parsed,
    ),
)
