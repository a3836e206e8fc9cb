"""Plain-text prompts with a few solved examples, for a base model that knows no chat template.

A base model is not to lose for want of a template: with worked examples before the question it
shows what it can do without training. Its answer ends at the first line end (`STOP`).
Source: Brown et al. (2020), "Language Models are Few-Shot Learners", section 2, arXiv 2005.14165.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from foundry.core.records import Example, Turn
from foundry.evals.questions import answer_of, question_of, said_in

STOP = "\n"


@dataclass(frozen=True)
class Labels:
    """The words before each piece; `space` stands between a label and a text on its line."""

    context: str = "資料："
    question: str = "問題："
    answer: str = "回答："
    space: str = ""
    tools: str = "工具："
    result: str = "結果："


ENGLISH = Labels("Facts:", "Question:", "Answer:", " ", "Tools:", "Result:")


def pick_shots(train: Sequence[Example], *, n: int, seed: int) -> list[Example]:
    """At most `n` training rows to show: with and without context in turn, of different groups.

    Answers of one line come first, since `STOP` would cut the others. The same rows, whatever
    their order, give the same shots.
    """
    order = sorted(train, key=lambda example: example.id)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda example: STOP in answer_of(example))
    pools = [
        [example for example in order if question_of(example).context],
        [example for example in order if not question_of(example).context],
    ]
    shots: list[Example] = []
    while len(shots) < n and any(pools):
        pool = pools[len(shots) % 2] or pools[(len(shots) + 1) % 2]
        seen = {shot.group for shot in shots}
        shot = next((example for example in pool if example.group not in seen), pool[0])
        pool.remove(shot)
        shots.append(shot)
    return shots


def few_shot_text(shots: Sequence[Example], example: Example, labels: Labels) -> str:
    """The solved `shots`, a blank line after each, then `example` up to its answer's label.

    Tools stand before the first question that offers them, and again where others are offered.
    """
    asked, offered = [], "[]"
    for one in (*shots, example):
        tools = json.dumps(one.tools, ensure_ascii=False)
        head = [f"{labels.tools}\n{tools}"] if tools != offered else []
        asked.append("\n".join([*head, _asked(one, labels)]))
        offered = tools
    solved = [
        f"{text}{labels.space}{answer_of(shot)}" for text, shot in zip(asked, shots, strict=False)
    ]
    return "\n\n".join([*solved, asked[-1]])


def _asked(example: Example, labels: Labels) -> str:
    """The conversation before the answer, a label before each turn; a system text is left out."""
    turns = [turn for turn in example.prompt if turn.role != "system"]
    places = [place for place, turn in enumerate(turns) if turn.role == "user"]
    last = places[-1] if places else 0
    question = question_of(example)
    facts = [f"{labels.context}\n{question.context}"] if question.context else []
    asked = [*facts, f"{labels.question}{labels.space}{question.text}"]
    lines = [
        *(_labelled(turn, labels) for turn in turns[:last]),
        *asked,
        *(_labelled(turn, labels) for turn in turns[last + 1 :]),
        labels.answer,
    ]
    return "\n".join(lines)


def _labelled(turn: Turn, labels: Labels) -> str:
    label = {"user": labels.question, "tool": labels.result}.get(turn.role, labels.answer)
    return f"{label}{labels.space}{said_in(turn)}"
