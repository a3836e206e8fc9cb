"""Benchmark `twinkle-text`: the questions of `twinkle`, of which the options' texts are weighed.

    question,A,B,C,D,answer
    臺灣最高的山是哪一座？,玉山,雪山,合歡山,大霸尖山,A

Worked examples are answered with the option's text, and the answer is the option whose text has the
largest log-probability per token after the prompt. Letters stand for the texts in what is recorded.
A model that knows the fact may still miss the letter; what it gains here says how much of its score
is the form. Source of the measure: Brown et al. (2020), section 2.4, arXiv 2005.14165.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from foundry.core.records import Example, Turn
from foundry.evals.benchmarks import twinkle
from foundry.evals.choices import LETTER

version = 1
TITLE = {"en": "Multiple choice by text (Twinkle)", "zh-TW": "選擇題，比內容（Twinkle）"}
FILES = twinkle.FILES
METHOD = "options"
OPTIONS = twinkle.OPTIONS
SHOTS = twinkle.SHOTS
EVALS = twinkle.EVALS
LABELS = twinkle.LABELS


def read(path: Path) -> Iterator[Example]:
    """The same rows; the answer is the text of the right option."""
    for example in twinkle.read(path):
        asked, answer = example.messages
        text = option_texts(example)[OPTIONS.index(answer.content)]
        fields = {**example.fields, LETTER: answer.content}
        yield replace(example, messages=(asked, Turn("assistant", text)), fields=fields)


def option_texts(example: Example) -> Sequence[str]:
    """The texts of an example's options, in order."""
    texts: list[str] = json.loads(example.fields[twinkle.TEXTS])
    return texts


def instruction(examples: Sequence[Example]) -> str:
    """What is to be done, before every prompt."""
    return "以下是單選題，回答正確選項的內容。"
