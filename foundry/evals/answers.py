"""What is asked and what came back: items, answers, columns, and their JSON lines on disk.

A column's file grows by one line per answer, so that a killed evaluation goes on with the next
item. An answer counts from its line end on: a torn last line is not an answer, and the next
append removes it. The first line names the inputs the answers were made from, because answers of
another model must never be taken for this one's.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.evals.judgement import Judgement

SETTINGS = (
    "template_sha256",
    "system",
    "bos_count",
    "first_prompt_ids",
    "prompts_sha256",
    "stop_ids",
    "decoding",
)
"""What a model's column says about its prompts; two models are compared when these are equal
(cases.md C28). `system`, `bos_count` and `first_prompt_ids`, the first 20 ids, are those of the
first item's prompt; `prompts_sha256` holds every id of every prompt."""

PEER_SETTINGS = ("task", "form", "questions_sha256", "decoding")
"""What models with other tokenizers must have in common to stand side by side: the task with its
version, evaluators and worked examples; plain text or the model's own chat template; every question
in words."""

BROUGHT = "brought"
"""Where a column's settings hold those of each evaluator's own questions, by its kind."""

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Item:
    """A question of the evaluation: an example and the test part it belongs to.

    `brought_by` is the evaluator that brought the question itself; None for a row of the recipe's.
    `question` is what is asked without the words that say in what form, where those stand beside.
    `opening` is the beginning of the answer that is given with the prompt.
    """

    example: Example
    part: str
    brought_by: str | None = None
    question: str | None = None
    opening: str = ""

    def is_in(self, parts: tuple[str, ...] | None) -> bool:
        """Whether the item is in one of `parts`; None means every part."""
        return parts is None or self.part in parts


@dataclass(frozen=True)
class Answer:
    """One answer; `stopped` says that the model ended it by itself before the token limit.

    `logprobs` holds the log-probabilities in nats of the texts that were given to the model: of
    each option, or of the one text, instead of an answer, and `tokens` then counts theirs; or of
    the continuations that an evaluator asked about, beside the answer.
    `scores` are those that lm-eval gave, by its name of the metric; or a reward model's of the two
    answers of a pair, of which `text` is the one that it prefers.
    `judgement` is what a judge said of it beside another model's; its own file keeps that.
    """

    item_id: str
    text: str
    tokens: int
    stopped: bool
    judgement: Judgement | None = None
    logprobs: tuple[float, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The answer as its line and its hash hold it, without what it does not have."""
        made = asdict(self)
        optional = ("judgement", "logprobs", "scores")
        return {k: v for k, v in made.items() if k not in optional or v}


@dataclass(frozen=True)
class Column:
    """One answerer (a model, a file, a baseline) and what it said to each item.

    `title` maps `en` and `zh-TW` to a name a person reads. `settings` has the keys `SETTINGS`
    where a model answered and is empty for a baseline. `seconds` is what all answers to the
    recipe's questions took together, those that evaluators bring left out, and `joules` what the
    processors' meter counted meanwhile; each is None where it is not known.
    """

    name: str
    title: Mapping[str, str]
    settings: Mapping[str, Any]
    answers: Mapping[str, Answer]
    seconds: float | None = None
    joules: float | None = None

    def own(self, items: Iterable[Item]) -> list[Answer]:
        """The answers to the recipe's questions among `items`, which `seconds` are of."""
        own = (item.example.id for item in items if item.brought_by is None)
        return [self.answers[key] for key in own if key in self.answers]


@dataclass(frozen=True)
class Kept:
    """What a column's file holds: what it was made from, the answers by item, the seconds spent."""

    made_from: str | None
    answers: dict[str, Answer]
    seconds: float


def load_answers(path: Path) -> dict[str, Answer]:
    """The answers written so far, by item id; none where there is no file.

    Raises:
        DataError: A line other than a torn last one is not an answer; names it.
    """
    return _parse(path).answers


def seconds_spent(path: Path) -> float:
    """How long the model worked on the answers of a file, those that a kill cut short included."""
    return _parse(path).seconds


def resume_answers(path: Path, made_from: str) -> dict[str, Answer]:
    """The answers to keep, in a file ready for `append_answer`.

    Args:
        path: The column's file.
        made_from: Fingerprint of everything that decides the answers (weights, prompts,
            decoding). A file made from something else is emptied.
    """
    kept = _parse(path)
    if kept.made_from == made_from:
        return kept.answers
    atomic.write_text(path, json.dumps({"made_from": made_from}) + "\n")
    return {}


def append_answer(path: Path, answer: Answer) -> None:
    """Add one answer and flush it to disk; a torn line left by a crash is removed first."""
    record = {**answer.as_dict(), "text": LONE_SURROGATE.sub("\ufffd", answer.text)}
    atomic.append_line(path, json.dumps(record, ensure_ascii=False, allow_nan=False))


def append_seconds(path: Path, seconds: float) -> None:
    """Note how long the model worked on the answers that come next."""
    atomic.append_line(path, json.dumps({"seconds": round(seconds, 3)}))


def _parse(path: Path) -> Kept:
    if not path.exists():
        return Kept(None, {}, 0.0)
    content = path.read_bytes()[: atomic.whole_lines(path)]
    made_from: str | None = None
    answers: dict[str, Answer] = {}
    seconds = 0.0
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            record = json.loads(line)
            if number == 1 and "made_from" in record:
                made_from = record["made_from"]
                continue
            if record.keys() == {"seconds"}:
                seconds += float(record["seconds"])
                continue
            answer = Answer(**{**record, "logprobs": tuple(record.get("logprobs", ()))})
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(_damaged(path, number)) from error
        answers[answer.item_id] = answer
    return Kept(made_from, answers, seconds)


def _damaged(path: Path, line: int) -> Problem:
    what = _("line {line} is not an answer")
    fix = _("delete the file; its answers are then generated again")
    return Problem(str(path), what.format(line=line), fix)
