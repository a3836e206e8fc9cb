"""Ask a model every item, resumable item by item."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.energy import Meter
from foundry.evals.answers import (
    Answer,
    Column,
    Item,
    append_answer,
    append_seconds,
    resume_answers,
    seconds_spent,
)
from foundry.runtime.contract import Decoding, Runtime

FIRST_IDS = 20
BATCH = 32
# Where nothing is written, what counts, as a column's `decoding` says it.
OPTION_RULE = "the option with the largest log-probability per token, none where two are equal"
TEXT_RULE = "log-probability of the text after its start token"


@dataclass(frozen=True)
class Asked:
    """A column to fill: its names, the prompt of each item, and how answers are drawn.

    `brought_by` is the evaluator that brought the questions; None for the recipe's own.
    `continuations` are the ids of texts whose log-probability is wanted, by item.
    """

    name: str
    title: Mapping[str, str]
    prompts: Mapping[str, Sequence[int]]
    decoding: Decoding
    settings: Mapping[str, Any]
    brought_by: str | None = None
    continuations: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)


def decoding_settings(decoding: Decoding) -> dict[str, Any]:
    """The decoding as a column's settings record it (C28)."""
    return {
        "greedy": True,
        "max_new_tokens": decoding.max_new_tokens,
        "stop_strings": list(decoding.stop_strings),
    }


@dataclass(frozen=True)
class Prompting:
    """How prompts are made: the template's text, the system text, the BOS of the tokenizer."""

    template: str
    system: str | None = None
    bos_id: int | None = None


def settings(
    prompts: Sequence[Sequence[int]], decoding: Decoding, prompting: Prompting
) -> dict[str, Any]:
    """What two columns must have in common to be compared (C28)."""
    first = list(prompts[0])
    return {
        "template_sha256": hashlib.sha256(prompting.template.encode()).hexdigest(),
        "system": prompting.system,
        "bos_count": sum(1 for _ in takewhile(lambda token: token == prompting.bos_id, first)),
        "first_prompt_ids": first[:FIRST_IDS],
        "prompts_sha256": atomic.fingerprint([list(prompt) for prompt in prompts]),
        "stop_ids": list(decoding.stop_ids),
        "decoding": decoding_settings(decoding),
    }


@dataclass(frozen=True)
class Sheet:
    """Where the answers of a column are kept.

    Attributes:
        file: JSON lines of them.
        made_from: Fingerprint of everything that decides them, such as the model, the prompts and
            the decoding; answers of another are asked again.
        on_answer: Told how many of how many are there.
        at_once: How many questions are given to the model together.
        ready: Called before the first question, where one is left: what it takes, such as loading
            the model, is no time of answering.
    """

    file: Path
    made_from: str
    on_answer: Callable[[int, int], None]
    at_once: int = BATCH
    ready: Callable[[], object] = lambda: None


def ask(runtime: Runtime, items: Sequence[Item], asked: Asked, sheet: Sheet) -> Column:
    """Fill a column; answers that are there already are kept."""

    def generate(batch: Sequence[Item]) -> list[Answer]:
        made = runtime.generate([asked.prompts[i.example.id] for i in batch], asked.decoding)
        keys = [item.example.id for item in batch]
        return [
            Answer(
                *(key, one.text.strip(), len(one.ids), one.stopped),
                logprobs=logprobs(runtime, asked, key),
            )
            for key, one in zip(keys, made, strict=True)
        ]

    # Those of like length side by side, since a shorter one is padded to the longest; those first,
    # so that memory that does not suffice is found out at once.
    ordered = sorted(items, key=lambda item: -len(asked.prompts[item.example.id]))
    filled = fill(ordered, generate, sheet)
    recorded = {**asked.settings, "runtime": runtime.name}
    return Column(asked.name, asked.title, recorded, filled.answers, filled.seconds, filled.joules)


def keep_prompts(file: Path, prompts: Mapping[str, Sequence[int]]) -> None:
    """Write the ids of every prompt as JSON lines, so that anyone can ask the same again."""
    lines = (
        atomic.CANONICAL.encode({"item_id": key, "ids": list(ids)}) for key, ids in prompts.items()
    )
    atomic.write_text(file, "".join(f"{line}\n" for line in lines))


@dataclass(frozen=True)
class Filled:
    """Every item's answer, the seconds spent on them, and the joules where nothing was kept."""

    answers: dict[str, Answer]
    seconds: float
    joules: float | None


def fill(
    items: Sequence[Item], answer: Callable[[Sequence[Item]], Sequence[Answer]], sheet: Sheet
) -> Filled:
    """Every item's answer, and the seconds they took; batches that are there are not asked again.

    With the same `at_once`, items are always asked in the same batches, because the last digits of
    a model's logits depend on who shares the batch, and a kill must not change a result.

    Args:
        items: What is asked.
        answer: Answers a batch of items; not called where none is left.
        sheet: Where the answers are kept.
    """
    file, size = sheet.file, sheet.at_once
    answers, joules = dict(resume_answers(file, sheet.made_from)), None
    is_fresh = not answers
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    left = [one for one in batches if not all(item.example.id in answers for item in one)]
    if left:
        sheet.ready()
    meter = Meter()
    for batch in left:
        started = time.monotonic()
        made = answer(batch)
        append_seconds(file, time.monotonic() - started)
        joules = meter.joules()  # which goes around within an hour, so that it is read every time
        for one in made:
            if one.item_id not in answers:
                append_answer(file, one)
                answers[one.item_id] = one
        sheet.on_answer(len(answers), len(items))
    wanted = {item.example.id for item in items}
    kept = {key: one for key, one in answers.items() if key in wanted}
    return Filled(kept, round(seconds_spent(file), 3), joules if is_fresh else None)


def is_beyond(runtime: Runtime, asked: Asked) -> bool:
    """Whether a runtime would need a pass for each token of what is to be looked up."""
    return any(_are_beyond(runtime, texts) for texts in asked.continuations.values())


def _are_beyond(runtime: Runtime, texts: Sequence[Sequence[int]]) -> bool:
    most = runtime.tokens_at_once
    return most is not None and any(len(text) > most for text in texts)


def logprobs(runtime: Runtime, asked: Asked, key: str) -> tuple[float, ...]:
    """How likely each text is that an evaluator asks about after the prompt of the item `key`.

    None are given where the runtime would need a pass for each token: an evaluator asks about
    hundreds of texts.
    """
    texts = asked.continuations.get(key, ())
    if not texts or _are_beyond(runtime, texts):
        return ()
    found = runtime.loglikelihoods([asked.prompts[key]] * len(texts), texts)
    return tuple(round(one.sum, 6) for one in found)
