"""Evaluator `article-number`: the answer cites the articles of law that the reference cites.

A citation is a law's name and an article, with paragraph, subparagraph and item where they are
given (`foundry.evals.statutes`). The main score asks for exactly the reference's set. Precision
says how many of the cited articles are right, which is what an invented article costs; recall says
how many were found. Both are pooled over all citations.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from foundry.core.fields import Many
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion, Counts, PooledCompanion, Sums, share
from foundry.evals.parts import InParts
from foundry.evals.statutes import Citation, citations

if TYPE_CHECKING:
    from foundry.evals.companions import Array

version = 2  # 1 took more words before a law for part of its name
TITLE = {"en": "Right articles cited", "zh-TW": "法條引用正確"}
EXPLAIN = {
    "en": "The answer cites exactly the articles of law that the reference cites.",
    "zh-TW": "答案引用的法條和標準答案完全相同，不多也不少。",
}


class Spec(InParts):
    """How closely a citation must match."""

    depth: Literal["article", "paragraph", "subparagraph", "item"] = Field(
        "item",
        description="Down to which level citations are compared: 條, 項, 款 or 目. What the "
        "reference leaves open is wrong to add.",
    )
    law_names: bool = Field(
        True,
        description="Whether the name of the law must be right too, and not the article alone.",
    )
    aliases: Mapping[str, Many[str]] = Field(
        {}, description="Names of laws, each with its other names: `勞動基準法: [勞基法]`."
    )


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the same articles are cited, else 0.0; None where the reference cites none."""
    wanted = _wanted(item, spec)
    return float(_cited(answer.text, spec) == wanted) if wanted else None


def _wanted(item: Item, spec: Spec) -> frozenset[Citation]:
    return _cited(item.example.answer, spec) if item.is_in(spec.parts) else frozenset()


def _cited(text: str, spec: Spec) -> frozenset[Citation]:
    aliases = tuple((name, tuple(others)) for name, others in spec.aliases.items())
    return _read(text, aliases, spec.depth, spec.law_names)


@lru_cache(maxsize=8192)
def _read(
    text: str, aliases: tuple[tuple[str, tuple[str, ...]], ...], depth: str, law_names: bool
) -> frozenset[Citation]:
    found = (citation.down_to(depth) for citation in citations(text, dict(aliases)))
    return frozenset(c if law_names else c.without_law() for c in found)


def _parsed(item: Item, answer: Answer, spec: Spec) -> float | None:
    return float(bool(_cited(answer.text, spec))) if _wanted(item, spec) else None


def _observe(item: Item, answer: Answer, spec: Spec) -> Counts | None:
    wanted, said = _wanted(item, spec), _cited(answer.text, spec)
    if not wanted:
        return None
    return {"wanted": len(wanted), "said": len(said), "right": len(wanted & said)}


def _precision(sums: Sums) -> "Array":
    return share(sums.get("right", 0), sums.get("said", 0))


def _recall(sums: Sums) -> "Array":
    return share(sums.get("right", 0), sums.get("wanted", 0))


COMPANIONS = (
    PooledCompanion(
        "article-number-precision",
        {"en": "Articles: precision", "zh-TW": "法條精確率"},
        {
            "en": "Of the articles the answers cite, the share that the reference cites.",
            "zh-TW": "答案引用的法條裡，標準答案也引用的比例；捏造的法條會拉低它。",
        },
        _observe,
        _precision,
    ),
    PooledCompanion(
        "article-number-recall",
        {"en": "Articles: recall", "zh-TW": "法條召回率"},
        {
            "en": "Of the reference's articles, the share that the answers cite.",
            "zh-TW": "標準答案引用的法條裡，答案也引用的比例。",
        },
        _observe,
        _recall,
    ),
    Companion(
        "article-number-parse-rate",
        {"en": "Cites an article", "zh-TW": "有引用法條"},
        {
            "en": "The answer cites at least one article, right or wrong.",
            "zh-TW": "答案至少引用一條法條，不論對錯。",
        },
        _parsed,
    ),
)
