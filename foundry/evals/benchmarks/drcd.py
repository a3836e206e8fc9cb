"""Benchmark `drcd`: reading comprehension in Traditional Chinese; any document of SQuAD's form.

    {"data": [{"title": "梵語", "paragraphs": [{"context": "在歐洲，梵語的學術研究，由…",
      "qas": [{"question": "陸特和漢斯雷頓開創了哪一地區…？", "answers": [{"text": "歐洲"}]}]}]}]}

Questions of one article are one group. Source: Shao et al. (2018), "DRCD", arXiv 1806.00920,
https://github.com/DRCKnowledgeTeam/DRCD.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from foundry.core.records import Example, Turn
from foundry.evals.benchmark import rows, show_row
from foundry.evals.prompts import Labels

version = 1
TITLE = {"en": "Reading comprehension (DRCD)", "zh-TW": "閱讀測驗（DRCD）"}
FILES = ("DRCD*.json", "*squad*.json")
METHOD = "generate"
SHOTS = 1
MAX_NEW_TOKENS = 64  # the longest answers take a third of it in Gemma's tokens, all in SmolLM2's
STOP = ("\n",)
EVALS = ({"kind": "squad"},)
LABELS = Labels(context="文章：", question="問題：", answer="答案：")


def read(path: Path) -> Iterator[Example]:
    """A question a row, with its passage; rows without an answer in the passage are left out."""
    for number, row in enumerate(rows(path, "squad"), start=1):
        answers = [str(text) for text in row.values.get("answers") or ()]
        if not answers:
            continue
        with show_row(path, row):
            asked = f"{row.values['context']}\n\n{str(row.values['question']).strip()}"
        turns = Turn("user", asked), Turn("assistant", answers[0])
        group = str(row.values.get("title") or row.values["context"])
        fields = {"answers": json.dumps(answers, ensure_ascii=False)}
        yield Example(f"{path.stem}-{number}", turns, path.name, row.line, group, fields)


def instruction(examples: Sequence[Example]) -> str:
    """What is to be done, before every prompt."""
    return "閱讀文章，用文章裡的字詞回答問題，只寫答案。"
