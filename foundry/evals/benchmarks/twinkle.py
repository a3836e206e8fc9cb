"""Benchmark `twinkle`: multiple choice from the tables of OpenTWBench and Twinkle Eval.

    question,A,B,C,D,answer
    臺灣最高的山是哪一座？,玉山,雪山,合歡山,大霸尖山,A

The options stand in the prompt; the answer is the letter that the model finds likeliest after it:
the letter's log-probability divided by its number of tokens (one, in nearly every tokenizer).
`twinkle-text` weighs the options' texts instead, and `twinkle-written` lets the model write.
Source of the layout: Hendrycks et al. (2021), MMLU, arXiv 2009.03300.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from foundry.core.records import Example, Turn
from foundry.data.formats import multiple_choice
from foundry.data.options import read_options
from foundry.evals.benchmark import OPTION_COUNT, rows, show_row
from foundry.evals.prompts import Labels

version = 2
TITLE = {"en": "Multiple choice (Twinkle)", "zh-TW": "選擇題（Twinkle）"}
FILES = ("*.csv",)
METHOD = "options"
OPTIONS = ("A", "B", "C", "D")
TEXTS = "option texts"
"""The field of an example with the texts of its options, a list as JSON."""
SHOTS = 4
EVALS = ({"kind": "multiple-choice"},)
LABELS = Labels(context="", question="問題：", answer="答案：")
SPEC = multiple_choice.Spec(options=OPTIONS)
BLANK_LINES = re.compile(r"\n\s*\n")


def read(path: Path) -> Iterator[Example]:
    """A question a row with its options below it; the answer is the letter."""
    for number, row in enumerate(rows(path, "csv"), start=1):
        with show_row(path, row):
            question, answer = multiple_choice.to_draft(row.values, SPEC).turns
            given = read_options(row.values, [n for n in OPTIONS if n in row.values])
        asked = Turn("user", BLANK_LINES.sub("\n", question.content))
        key = f"{path.stem}-{number}"
        fields = {
            OPTION_COUNT: str(len(given)),
            TEXTS: json.dumps([option.text for option in given], ensure_ascii=False),
        }
        yield Example(key, (asked, answer), path.name, row.line, key, fields)


def instruction(examples: Sequence[Example]) -> str:
    """What is to be done, before every prompt."""
    return "以下是單選題，回答正確選項的英文字母。"
