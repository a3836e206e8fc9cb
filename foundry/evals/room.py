"""Whether a model reads a question whole: beyond its trained positions a score means nothing.

transformers reads on without a word, and llama.cpp refuses after hours of training.
"""

from collections.abc import Mapping, Sequence

from foundry.core.errors import DataError, Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.encode.tokenize import Encoder
from foundry.evals.answers import Item
from foundry.evals.asking import in_template
from foundry.evals.references import named
from foundry.runtime.contract import Decoding

MOST_NAMED = 8


def longest_of(prompts: Mapping[str, Sequence[int]], decoding: Decoding) -> int:
    """Tokens of the longest prompt with its answer."""
    return max(len(ids) for ids in prompts.values()) + decoding.max_new_tokens


def check_longest(name: str, longest: int, context: int) -> None:
    """Refuse a benchmark of which a model cannot read every prompt with its answer.

    Args:
        name: The model.
        longest: Tokens of the longest prompt with its answer.
        context: Tokens that the model reads.

    Raises:
        ResourceError: Says how many there are.
    """
    if longest > context + 1:  # nothing is read after the last token
        what = _("a prompt with its answer has {longest} tokens, the model reads {most}")
        fix = _("show fewer worked examples with `--few-shot`, or give shorter texts")
        raise ResourceError(Problem(name, what.format(longest=longest, most=context), fix))


def check_questions_fit(
    items: Sequence[Item],
    encoder: Encoder,
    base: BaseModel,
    references: Sequence[BaseModel],
    max_new_tokens: int,
) -> None:
    """Refuse, before training, test questions that a model to be asked cannot read with an answer.

    Raises:
        DataError: Names each question by its line, and the model.
    """
    asked = [(base, in_template(encoder, items, base.name, Decoding(max_new_tokens, ())))]
    for one in named(references).values():
        _encoder, (own, *_brought) = one.prompts(
            items, (), system=encoder.system, max_new_tokens=max_new_tokens
        )
        asked.append((one.base, own))
    found = [
        _too_long(item, len(own.prompts[item.example.id]) + max_new_tokens, model)
        for model, own in asked
        for item in items
        if len(own.prompts[item.example.id]) + max_new_tokens > model.context + 1
    ]
    if found:
        what = _("{n} questions of the test parts are too long, of which the first are named")
        every = Problem("evaluation", what.format(n=len(found)), found[0].fix)
        more = [every] if len(found) > MOST_NAMED else []
        raise DataError([*more, *found[:MOST_NAMED]])


def _too_long(item: Item, tokens: int, model: BaseModel) -> Problem:
    what = _("a question with its answer has {longest} tokens, and {model} reads {most}")
    fix = _("shorten the question, or lower `evaluation.max_new_tokens`")
    told = what.format(longest=tokens, model=model.name, most=model.context)
    return Problem(f"{item.example.source}:{item.example.line}", told, fix)
