"""Evaluator `controls`: what a model could do before training and should still be able to do.

It brings its own questions (`evals.controls`): 14 in Traditional Chinese and 14 in English of each
of eight kinds, from facts of Taiwan to refusing to do harm, each checked by a rule. The base, the
tuned model and the delivered file answer the same prompts, so the paired difference between them is
what training took away: forgetting. `{metric: controls, max_drop_pp: 2}` keeps it small.

The prompts are plain text with two solved questions before each. A model that was only pretrained
does not know the chat template yet and would have nothing to lose in it: gemma-3-270m had 3 of 80
right there, 6 of 32 after two solved turns in it, and 40 of 80 in plain text: reading and
translation 9 of 10, format and knowledge 6, sense 4, Taiwan and wording 3, sums none. Neither form
has the recipe's system text, which tells a model its trade: with it the base would fail at anything
else too. A text that the template itself writes is part of the model and stays (C19).

Source: Luo et al. (2023), "An Empirical Study of Catastrophic Forgetting in Large Language Models
During Continual Fine-tuning", arXiv 2308.08747, which compares general tasks before and after; the
two points of loss are those that Taiwan's medical models allow their control subjects.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from foundry.core.fields import Closed
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion, Text
from foundry.evals.controls import asking
from foundry.evals.controls.checks import is_right
from foundry.evals.controls.items import KINDS, Control, by_id, sample

version = 1
OF_MODELS = True
KIND = "controls"
TITLE = {"en": "General abilities kept", "zh-TW": "原有能力"}
EXPLAIN = {
    "en": "Short questions that have nothing to do with the training: facts, sums, reading, "
    "translation and the like. A lower score than before training is forgetting.",
    "zh-TW": "和訓練內容無關的簡短題目：常識、計算、閱讀、翻譯等。"
    "分數比訓練前低，就是模型忘了原本會的。",
}
PART = asking.PART
PART_TITLE = {"en": "General questions", "zh-TW": "一般題目"}
MAX_NEW_TOKENS = asking.MAX_NEW_TOKENS
STOP_STRINGS = asking.STOP_STRINGS

TITLES: dict[str, Text] = {
    "taiwan": {"en": "Facts of Taiwan", "zh-TW": "台灣常識"},
    "knowledge": {"en": "General knowledge", "zh-TW": "一般知識"},
    "arithmetic": {"en": "Sums and units", "zh-TW": "計算與單位"},
    "reading": {"en": "Reading a short text", "zh-TW": "閱讀短文"},
    "format": {"en": "Following a format", "zh-TW": "依格式作答"},
    "wording": {"en": "Grammar and choice of words", "zh-TW": "語法與用詞"},
    "translation": {"en": "Translating a sentence", "zh-TW": "翻譯短句"},
    "sense": {"en": "Common sense and safety", "zh-TW": "常理與安全"},
}


class Spec(Closed):
    """How many of the questions are asked, and how."""

    sample: Annotated[int, Field(ge=16)] | Literal["all"] = Field(
        80,
        description="How many questions: the first so many, kinds and languages in turn, so that "
        "a multiple of 16 is balanced; `all` for all 224.",
    )
    form: Literal["text", "chat"] = Field(
        "text",
        description="`text`: plain text after two solved questions, which every model can follow; "
        "`chat`: the chat template and nothing else, for a base model that is an assistant.",
    )


def items(spec: Spec) -> Sequence[Item]:
    """The questions, as one test part."""
    chosen = sample(None if spec.sample == "all" else spec.sample)
    return [asking.item_of(control, KIND) for control in chosen]


def as_text(item: Item, spec: Spec) -> str | None:
    """The question after two solved ones of its kind and language; None for the form `chat`."""
    return asking.text_of(item.example) if spec.form == "text" else None


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer is right by the question's rule, else 0.0; None for other questions."""
    control = _control(item)
    return None if control is None else float(is_right(control, answer.text))


def _score_of(item: Item, answer: Answer, spec: Spec, *, kind: str) -> float | None:
    control = _control(item)
    return score(item, answer, spec) if control is not None and control.kind == kind else None


def _control(item: Item) -> Control | None:
    return by_id().get(item.example.id) if item.part == PART else None


COMPANIONS = tuple(
    Companion(f"{KIND}-{kind}", TITLES[kind], EXPLAIN, partial(_score_of, kind=kind))
    for kind in KINDS
)
