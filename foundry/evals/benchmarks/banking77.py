"""Benchmark `banking77`: which of 77 intents a bank's customer has; any table of text and category.

    text,category
    How do I locate my card?,card_arrival

The intents that the file has stand before every prompt. Source: Casanueva et al. (2020),
arXiv 2003.04807, https://github.com/PolyAI-LDN/task-specific-datasets.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from foundry.core.records import Example, Turn
from foundry.evals.benchmark import rows, show_row
from foundry.evals.prompts import Labels

version = 2  # 1 knew the intents of the drawn questions alone
TITLE = {"en": "Bank customers' intents (banking77)", "zh-TW": "銀行顧客意圖（banking77）"}
FILES = ("*banking77*test*.csv", "test.csv")
METHOD = "generate"
SHOTS = 4
MAX_NEW_TOKENS = 24
STOP = ("\n",)
EVALS = ({"kind": "classification"},)
LABELS = Labels(context="", question="Customer:", answer="Intent:", space=" ")


def read(path: Path) -> Iterator[Example]:
    """A customer's question a row, and its intent."""
    for number, row in enumerate(rows(path, "csv"), start=1):
        with show_row(path, row):
            asked, intent = " ".join(row.values["text"].split()), row.values["category"].strip()
        turns = Turn("user", asked), Turn("assistant", intent)
        key = f"{path.stem}-{number}"
        yield Example(key, turns, path.name, row.line, key)


def evals(examples: Sequence[Example]) -> Sequence[Mapping[str, object]]:
    """Every intent that a prompt lists may be answered, also one that no drawn question has."""
    return [{**EVALS[0], "labels": sorted({example.answer for example in examples})}]


def instruction(examples: Sequence[Example]) -> str:
    """The intents there are."""
    intents = ", ".join(sorted({example.answer for example in examples}))
    return f"Say which of these intents a bank's customer has: {intents}."
