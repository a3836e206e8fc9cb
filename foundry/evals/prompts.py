"""Plain-text prompts with a few solved examples, for a base model that knows no chat template.

A base model is not to lose for want of a template: with worked examples before the question it
shows what it can do without training. Its answer ends at the first line end (`STOP`).
Source: Brown et al. (2020), "Language Models are Few-Shot Learners", section 2, arXiv 2005.14165.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from foundry.core.records import Example
from foundry.evals.questions import question_of

STOP = "\n"


@dataclass(frozen=True)
class Labels:
    """The words before each piece; `space` stands between a label and a text on its line."""

    context: str = "資料："
    question: str = "問題："
    answer: str = "回答："
    space: str = ""


ENGLISH = Labels("Facts:", "Question:", "Answer:", " ")


def pick_shots(train: Sequence[Example], *, n: int, seed: int) -> list[Example]:
    """At most `n` training rows to show: with and without context in turn, of different groups.

    Answers of one line come first, since `STOP` would cut the others. The same rows, whatever
    their order, give the same shots.
    """
    order = sorted(train, key=lambda example: example.id)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda example: STOP in example.answer)
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
    """The solved `shots`, a blank line after each, then `example` up to its answer's label."""
    solved = [f"{_asked(shot, labels)}{labels.space}{shot.answer}" for shot in shots]
    return "\n\n".join([*solved, _asked(example, labels)])


def _asked(example: Example, labels: Labels) -> str:
    question = question_of(example)
    facts = [f"{labels.context}\n{question.context}"] if question.context else []
    lines = [*facts, f"{labels.question}{labels.space}{question.text}", labels.answer]
    return "\n".join(lines)
