"""Stage 7 of a reward model: which answer of each held-out pair it prefers, beside two others.

The base stands beside it with the head that training began with, which knows nothing, and the rule
that the longer answer is the better one, which reward models are known to learn instead.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foundry.core import atomic
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow, Refusal
from foundry.encode.rows import Encoded, encode_many
from foundry.encode.tokenize import Encoder
from foundry.evals.answering import Prompting, Sheet, fill, settings
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.evaluators.pair_accuracy import BETTER, WORSE
from foundry.runtime.contract import Decoding

if TYPE_CHECKING:
    from foundry.evals.examine import Examination

TITLES: Mapping[str, dict[str, str]] = {
    "base": {"en": "Base model, untrained head", "zh-TW": "基底模型（獎勵層未訓練）"},
    "tuned": {"en": "Reward model", "zh-TW": "獎勵模型"},
    "longer-answer": {"en": "The longer answer", "zh-TW": "選比較長的回答"},
}
LONGER = "longer-answer"


@dataclass(frozen=True)
class Pairs:
    """Held-out pairs as they are read: the items, each with the ids of both conversations.

    `left_out` are those that cannot be encoded, and why.
    """

    items: Sequence[Item]
    rows: Mapping[str, EncodedRow]
    settings: Mapping[str, Any]
    left_out: tuple[Refusal, ...] = ()


def pairs_of(items: Sequence[Item], encoder: Encoder) -> Pairs:
    """Encode what is a pair among the items just as the training rows were.

    Raises:
        DataError: There is none, or none can be encoded.
    """
    chosen = [item for item in items if item.example.rejected is not None]
    made = encode_many([item.example for item in chosen], encoder)
    rows = {one.example.id: one.row for one in made if isinstance(one, Encoded)}
    left_out = tuple(one for one in made if isinstance(one, Refusal))
    if not rows:
        what = _("the test parts hold no pair of a better and a worse answer")
        why = [Problem(f"{one.source}:{one.line}", one.reason) for one in left_out]
        raise DataError([Problem("data.tests", what), *why])
    prompts = [ids for row in rows.values() for ids in (row.input_ids, row.rejected_input_ids)]
    prompting = Prompting(encoder.template, encoder.system, encoder.bos_id)
    kept = [item for item in chosen if item.example.id in rows]
    return Pairs(kept, rows, settings(prompts, Decoding(0), prompting), left_out)


def longer_answer(pairs: Pairs) -> Column:
    """Prefer the answer of more characters."""
    answers = {}
    for item in pairs.items:
        assert item.example.rejected is not None
        lengths = len(item.example.answer), len(item.example.rejected.content)
        answers[item.example.id] = _answer(item, *map(float, lengths), tokens=0)
    return Column(LONGER, TITLES[LONGER], settings={}, answers=answers)


def rewarded_column(exam: "Examination", pairs: Pairs, name: str, model: Any) -> Column:
    """What a reward model gives to both answers of each pair; rewards that are there are kept.

    Args:
        exam: The `Examination`.
        pairs: What is asked.
        name: Of the column.
        model: Said to be trained or not by the name.
    """
    from foundry.runtime.rewards import rewards_of

    def judge(batch: Sequence[Item]) -> list[Answer]:
        rows = [pairs.rows[item.example.id] for item in batch]
        sides = [ids for row in rows for ids in (row.input_ids, row.rejected_input_ids)]
        given = iter(rewards_of(model, sides).tolist())
        tokens = [len(row.input_ids) + len(row.rejected_input_ids) for row in rows]
        return [
            _answer(item, next(given), next(given), tokens=count)
            for item, count in zip(batch, tokens, strict=True)
        ]

    def told(done: int, of: int) -> None:
        exam.events.emit("evaluate", "answers", column=name, done=done, of=of)

    identity = exam.base_identity if name == "base" else exam.identity
    made_from = atomic.fingerprint(
        {"column": name, "identity": dict(identity), "settings": dict(pairs.settings)}
    )
    file = exam.run.file("evals", "answers", f"{name}.jsonl")
    filled = fill(pairs.items, judge, Sheet(file, made_from, told))
    recorded = {**pairs.settings, "runtime": "transformers"}
    return Column(name, TITLES[name], recorded, filled.answers, filled.seconds, filled.joules)


def model_columns(exam: "Examination", pairs: Pairs) -> Iterator[Column]:
    """The columns of the base and of the trained model."""
    with exam.untrained() as model:
        yield rewarded_column(exam, pairs, "base", model)
    yield rewarded_column(exam, pairs, "tuned", exam.tuned())


def _answer(item: Item, better: float, worse: float, *, tokens: int) -> Answer:
    """The rewards of both sides; the text is that of the answer which is preferred."""
    assert item.example.rejected is not None
    chosen = item.example.answer if better >= worse else item.example.rejected.content
    return Answer(
        item.example.id, chosen, tokens, stopped=True, scores={BETTER: better, WORSE: worse}
    )
