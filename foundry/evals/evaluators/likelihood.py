"""Evaluator `likelihood`: how likely a text is to a model, per byte and per token.

Perplexity is its inverse: 1 / likelihood per token, or per byte. A number per token depends on how
a tokenizer cuts, so models with other tokenizers are compared per UTF-8 byte.

It reads the log-probabilities that `foundry eval --tasks perplexity` asks for, and applies to texts
alone: a file's pieces, or the answers of a recipe's test rows after their questions. A recipe does
not have them asked and refuses it (`evals.plain_texts`). Source of the measure per byte: Gao et al.
(2020), "The Pile", section 3.1, arXiv 2101.00027.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from foundry.evals.answers import Answer, Item
from foundry.evals.companions import PooledCompanion, Sums
from foundry.evals.parts import InParts

if TYPE_CHECKING:
    from foundry.evals.companions import Array

version = 1
GRADED = True
TITLE = {"en": "Likelihood per byte, text by text", "zh-TW": "每位元組的可能性（逐段平均）"}
EXPLAIN = {
    "en": "Geometric mean of the probability of each byte of a text, averaged over the texts.",
    "zh-TW": "每段文字中每個位元組機率的幾何平均，再對各段取平均。",
}
OF_MODELS = True
OF_TEXTS = True


class Spec(InParts):
    """Which test parts to score."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """exp(log-probability / bytes) of one text, in 0..1; 0.0 where no model was asked."""
    if not _is_asked(item, spec):
        return None
    counts = observe(item, answer, spec)
    return 0.0 if counts is None else math.exp(counts["nats"] / counts["bytes"])


def observe(item: Item, answer: Answer, spec: Spec) -> Mapping[str, float] | None:
    """The log-probability of a text with its tokens and bytes; None where no model was asked."""
    if not _is_asked(item, spec) or not answer.logprobs:
        return None
    size = len(item.example.text.encode("utf-8"))
    return {"nats": math.fsum(answer.logprobs), "tokens": answer.tokens, "bytes": size}


def _is_asked(item: Item, spec: Spec) -> bool:
    return bool(item.example.text) and item.is_in(spec.parts)


def per_byte(sums: Sums) -> "Array":
    """exp(log-probability / bytes) of all texts together; its inverse is perplexity per byte."""
    return _likelihood(sums, "bytes")


def per_token(sums: Sums) -> "Array":
    """exp(log-probability / tokens) of all texts together; its inverse is perplexity."""
    return _likelihood(sums, "tokens")


def _likelihood(sums: Sums, unit: str) -> "Array":
    import numpy as np

    return np.exp(np.minimum(0.0, sums.get("nats", 0.0)) / np.maximum(1.0, sums.get(unit, 0.0)))


COMPANIONS = (
    PooledCompanion(
        "likelihood-per-byte",
        {"en": "Likelihood per byte", "zh-TW": "每位元組的可能性"},
        {
            "en": "1 / perplexity per UTF-8 byte of all texts together; does not depend on the "
            "tokenizer.",
            "zh-TW": "全部文字以 UTF-8 位元組計的困惑度的倒數；不受分詞器影響。",
        },
        observe,
        per_byte,
    ),
    PooledCompanion(
        "likelihood-per-token",
        {"en": "Likelihood per token", "zh-TW": "每詞元的可能性"},
        {
            "en": "1 / perplexity per token of all texts together; only models with one tokenizer "
            "can be compared by it.",
            "zh-TW": "全部文字以詞元計的困惑度的倒數；分詞器相同的模型才能互比。",
        },
        observe,
        per_token,
    ),
)
