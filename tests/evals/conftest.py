"""A small made-up shop test, and mock models that get a known share of it right."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.recipe import Gate
from foundry.core.records import Example, Turn
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.compare import Evidence, Measures, measure, report_on
from foundry.evals.comparison import Roles
from foundry.evals.contamination import overlaps

DECLINE = "很抱歉，這個問題不在服務範圍。"
SETTINGS = {
    "template_sha256": "aa",
    "system": None,
    "bos_count": 1,
    "first_prompt_ids": [2, 105],
    "prompts_sha256": "cc",
    "stop_ids": [1, 106],
    "decoding": {"max_new_tokens": 64, "temperature": 0},
}
Says = Callable[[Item], str | tuple[str, bool]]


class Shop:
    """40 products with two prices each (`facts`, 20 groups), 12 questions to decline."""

    decline = DECLINE
    settings = SETTINGS

    def __init__(self) -> None:
        self.facts = [self.item(n) for n in range(40)]
        self.outside = [self.item(n, "outside") for n in range(12)]
        self.items = [*self.facts, *self.outside]

    def item(self, n: int, part: str = "facts") -> Item:
        """Question `n` of a part."""
        if part == "outside":
            return Item(self.example(f"out{n:02}", f"明天第{n}區會下雨嗎？", DECLINE), part)
        fields = {"應含": f"{100 + n}元", "不應含": f"{300 + n}元|{n + 1}年"}
        sheet = f"售價：{100 + n}元\n原價：{300 + n}元\n保固：{n + 1}年"
        text = f"商品{n}多少錢？"
        example = self.example(
            f"item{n:02}", f"{sheet}\n\n{text}", f"售價{100 + n}元。", group=f"g{n // 2}", **fields
        )
        return Item(example, part)

    def example(
        self, key: str, question: str, answer: str, *, group: str | None = None, **fields: str
    ) -> Example:
        """A row of one question and one answer."""
        turns = Turn("user", question), Turn("assistant", answer)
        return Example(key, turns, "shop.csv", 2, group or key, fields)

    def column(self, name: str, says: Says, settings: dict[str, Any] | None = None) -> Column:
        """What a mock model says to every item: a text, or a text and whether it stopped."""
        answers = {}
        for item in self.items:
            said = says(item)
            text, stopped = (said, True) if isinstance(said, str) else said
            answers[item.example.id] = Answer(item.example.id, text, len(text), stopped)
        title = {"en": f"{name} model", "zh-TW": f"{name} 模型"}
        return Column(name, title, SETTINGS if settings is None else settings, answers, 5.2)

    def right(self, count: int) -> Says:
        """Right on the first `count` of the 40 facts and on every question to decline."""
        good = {item.example.id for item in self.facts[:count]} | {
            item.example.id for item in self.outside
        }
        return lambda item: item.example.answer if item.example.id in good else "不知道。"

    def block(self, kind: str, **spec: Any) -> Block:
        """A block as the recipe's loader makes it."""
        made = plugins.load("evaluator", kind).Spec.model_validate(spec)
        return Block(kind=kind, spec=made)

    def required(self, **spec: Any) -> Block:
        """`required-facts` on this shop's columns."""
        return self.block("required-facts", required="應含", forbidden="不應含", **spec)

    def report(
        self,
        columns: Sequence[Column],
        *,
        roles: Roles | None = None,
        gates: Sequence[Gate] = (),
        evals: Sequence[Block] | None = None,
        evidence: Evidence | None = None,
        trained: Sequence[Example] = (),
    ) -> dict[str, Any]:
        """A report on `base` and `tuned`, by right answers and declining unless told otherwise.

        `trained` are rows of the training, with which questions may overlap.
        """
        measured = [
            self.required(parts=["facts"]),
            self.block("stop-rate"),
            self.block("declines", phrases=["不在服務範圍"], part="outside"),
        ]
        shown = evidence or Evidence({"en": "Shop", "zh-TW": "商店"})
        found = measure(
            self.items,
            columns,
            measures=Measures(measured if evals is None else evals, gates),
            roles=roles or Roles(base=("base",), tuned="tuned"),
            part_titles=shown.part_titles,
            seed=7,
        )
        return report_on(replace(found, overlaps=overlaps(self.items, trained)), shown)

    def score(
        self, report: dict[str, Any], column: str, metric: str, part: str = "facts"
    ) -> dict[str, Any]:
        """The one entry of `report["scores"]` for a column, a metric and a part."""
        (found,) = [
            s
            for s in report["scores"]
            if (s["column"], s["metric"], s["part"]) == (column, metric, part)
        ]
        return found


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="session")
def unchanged_shop() -> Shop:
    """The same for tests that only read, so that a report on it is made once."""
    return Shop()
