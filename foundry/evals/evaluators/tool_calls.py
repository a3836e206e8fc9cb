"""Evaluator `tool-calls`: the last turn calls the right tools with the right arguments, or none.

As the Berkeley Function-Calling Leaderboard judges by syntax tree: every call must name the right
tool and have exactly the arguments of the reference, each of the right type; several calls of one
turn may come in any order; where tools are offered and the reference calls none, the answer must
call none. A conversation of many turns is judged by its last one. What begins as a call and cannot
be read is wrong and counted apart.

Texts are compared normalised, a whole number also counts where the reference has a fraction of the
same value, and true is not 1. A list is a set where the tool's schema says `uniqueItems`: the order
of a table question's columns and filters is then no error (`foundry/evals/typed_values.py`).

Source: Patil et al. (2025), "The Berkeley Function Calling Leaderboard", ICML 2025, section 4;
possible answers as in its `possible_answer` files.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import Field

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.records import ToolCall
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion
from foundry.evals.parts import InParts
from foundry.evals.typed_values import UNKNOWN, Schema, all_paired, same_value, schemas_of
from foundry.evals.written_calls import Written, read_written

version = 3
TITLE = {"en": "Right tool calls", "zh-TW": "工具呼叫正確"}
EXPLAIN = {
    "en": "The answer calls exactly the tools it should with the right arguments, and none where "
    "none is due.",
    "zh-TW": "答案呼叫了該用的工具、參數也都對；不該呼叫時就不呼叫。",
}
FORM = '`[{"tool": {"argument": [value, other value]}}]`'
Possible = tuple[tuple[str, Mapping[str, Sequence[Any]]], ...]
OMITTED = ""
"""Among the possible values of an argument: it may be left out (as in BFCL's files)."""


class Spec(InParts):
    """Where other right answers stand."""

    alternatives: str | None = Field(
        None,
        min_length=1,
        description="Column with the possible calls as JSON, in place of those of the "
        'conversation: `[{"tool": {"argument": [value, other value]}}]`; the value "" means that '
        "the argument may be left out.",
    )


@dataclass(frozen=True)
class Due:
    """A call that is due: each argument with its possible values, and with its schema."""

    name: str
    arguments: Mapping[str, Sequence[Any]]
    schemas: Mapping[str, Schema]

    def allows(self, call: ToolCall) -> bool:
        """Whether a call is this one."""
        given, possible = call.arguments, self.arguments
        return (
            call.name == self.name
            and all(key in possible and self._may_be(key, v) for key, v in given.items())
            and all(key in given or OMITTED in values for key, values in possible.items())
        )

    def _may_be(self, key: str, value: Any) -> bool:
        schema = self.schemas.get(key, UNKNOWN)
        return any(same_value(value, one, schema) for one in self.arguments[key])


def settle(items: Sequence[Item], spec: Spec) -> Spec:
    """The spec as it is.

    Raises:
        RecipeError: A row's possible calls cannot be read.
    """
    what = _("`{column}` of {place} holds no possible calls: {found}")
    fix = _("write them as {form}").format(form=FORM)
    problems = []
    for item in items:
        try:
            _due(item, spec)
        except ValueError as error:
            place = f"{item.example.source}:{item.example.line}"
            told = what.format(column=spec.alternatives, place=place, found=error)
            problems.append(Problem("evals.tool-calls.alternatives", told, fix))
    if problems:
        raise RecipeError(problems)
    return spec


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if every call is right and none is missing, else 0.0; None where no tool is offered."""
    if not _applies(item, spec):
        return None
    written = _written(item, answer)
    return float(not written.malformed and _all_match(_due(item, spec), written.calls))


def _applies(item: Item, spec: Spec) -> bool:
    return item.is_in(spec.parts) and bool(item.example.tools or _due(item, spec))


def _due(item: Item, spec: Spec) -> list[Due]:
    """The calls that the item wants.

    Raises:
        ValueError: The possible calls cannot be read.
    """
    written = item.example.fields.get(spec.alternatives or "", "").strip()
    if written:
        wanted = _possible(written)
    else:
        turns = item.example.messages
        calls = turns[-1].tool_calls if turns else ()
        wanted = tuple((c.name, {k: (v,) for k, v in c.arguments.items()}) for c in calls)
    tools = item.example.tools
    return [Due(name, values, schemas_of(tools, name)) for name, values in wanted]


@lru_cache(maxsize=4096)
def _possible(written: str) -> Possible:
    found = json.loads(written)
    pairs = [pair for call in found if isinstance(call, dict) for pair in call.items()]
    fits = isinstance(found, list) and len(pairs) == len(found)
    if not fits or not all(isinstance(values, dict) for _name, values in pairs):
        raise ValueError(written[:80])
    if not all(isinstance(v, list) for _name, values in pairs for v in values.values()):
        raise ValueError(written[:80])
    return tuple(pairs)


def _written(item: Item, answer: Answer) -> Written:
    return read_written(answer.text, item.example.tools)


def _all_match(due: Sequence[Due], calls: Sequence[ToolCall]) -> bool:
    """Whether calls and due calls can be paired off, in any order."""
    return all_paired(due, calls, Due.allows)


def _right_tools(item: Item, answer: Answer, spec: Spec) -> float | None:
    due = _due(item, spec)
    if not due or not _applies(item, spec):
        return None
    called = Counter(call.name for call in _written(item, answer).calls)
    return float(called == Counter(one.name for one in due))


def _parallel(item: Item, answer: Answer, spec: Spec) -> float | None:
    return score(item, answer, spec) if len(_due(item, spec)) > 1 else None


def _later(item: Item, answer: Answer, spec: Spec) -> float | None:
    is_later = any(turn.role == "assistant" for turn in item.example.prompt)
    return score(item, answer, spec) if is_later else None


def _malformed(item: Item, answer: Answer, spec: Spec) -> float | None:
    return float(_written(item, answer).malformed) if _applies(item, spec) else None


def _abstains(item: Item, answer: Answer, spec: Spec) -> float | None:
    if _due(item, spec) or not _applies(item, spec):
        return None
    return float(_written(item, answer) == Written())


COMPANIONS = (
    Companion(
        "tool-calls-right-tool",
        {"en": "Right tool", "zh-TW": "選對工具"},
        {
            "en": "Where a call is due, the tools called are the right ones, whatever their "
            "arguments.",
            "zh-TW": "該呼叫工具時，呼叫的工具是對的，不論參數。",
        },
        _right_tools,
    ),
    Companion(
        "tool-calls-malformed",
        {"en": "Malformed calls", "zh-TW": "呼叫格式壞掉"},
        {
            "en": "The answer begins a call that no program can read; the fewer the better.",
            "zh-TW": "答案開始呼叫工具，但格式壞了，程式讀不進去；越少越好。",
        },
        _malformed,
        lower_is_better=True,
    ),
    Companion(
        "tool-calls-abstention",
        {"en": "No call where none is due", "zh-TW": "不該呼叫時不呼叫"},
        {
            "en": "Where no tool is due, the answer calls none.",
            "zh-TW": "用不到工具的題目，答案沒有呼叫工具。",
        },
        _abstains,
    ),
    Companion(
        "tool-calls-parallel",
        {"en": "Several calls in one turn", "zh-TW": "一次呼叫好幾個"},
        {
            "en": "Where several calls are due in one turn, all are right and no other is made.",
            "zh-TW": "一次該呼叫好幾個工具時，每一個都對，也沒有多的。",
        },
        _parallel,
    ),
    Companion(
        "tool-calls-multi-turn",
        {"en": "Later turns of a conversation", "zh-TW": "多輪對話的後續回合"},
        {
            "en": "Where the conversation has earlier answers or results of tools, the calls of "
            "the last turn are right.",
            "zh-TW": "對話裡已有先前的回答或工具結果時，最後一回合的呼叫是對的。",
        },
        _later,
    ),
)
