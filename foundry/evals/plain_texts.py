"""Refuse, before training, what a recipe cannot measure: plain texts ask nothing.

Evaluators of a recipe score answers to questions. How likely a text is to a model is asked by
`foundry eval --tasks perplexity`, of the same test rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.data.prepare import read_examples

COMMAND = "foundry eval RUN --tasks perplexity"


def check_questions(evals: Sequence[Block], tests: Mapping[str, Path]) -> None:
    """Refuse an evaluator of texts, and test rows that are texts, where something is measured.

    Args:
        evals: The recipe's evaluators.
        tests: The file of each test part, by its name.

    Raises:
        RecipeError: Names every such evaluator, and of each part the first row that is a text.
    """
    if problems := [*_of_texts(evals), *(_texts_among(tests) if evals else ())]:
        raise RecipeError(problems)


def _of_texts(evals: Sequence[Block]) -> Iterable[Problem]:
    what = _("it reads how likely a text is, which no model is asked in a recipe")
    fix = _("remove it, and run `{command}` after training").format(command=COMMAND)
    for block in evals:
        if plugins.optional(plugins.load("evaluator", block.kind), "OF_TEXTS"):
            yield Problem(f"evals.{block.kind}", what, fix)


def _texts_among(tests: Mapping[str, Path]) -> Iterable[Problem]:
    what = _("the test part `{part}` holds plain texts, which ask nothing ({source}, line {line})")
    fix = _("write `evals: []` and no gates, and run `{command}` after training")
    for part, file in tests.items():
        if text := next((row for row in read_examples(file) if not row.messages), None):
            said = what.format(part=part, source=text.source, line=text.line)
            yield Problem("evals", said, fix.format(command=COMMAND))
