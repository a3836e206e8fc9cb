"""Reward `json-schema`: 1 for an answer that is one JSON value and fits the schema, else 0.

A value alone in a code fence is taken out of it, as the evaluator `json-schema` does. It says
nothing of whether the values are right: list `exact-answer` or `required-facts` beside it.
"""

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.data.json_answer import read_answer
from foundry.data.record_schema import AnswerSchema
from foundry.data.strict_json import JsonFault
from foundry.train.losses.rewarding import RewardSpec, Said


class Spec(AnswerSchema, RewardSpec):
    """What an answer must look like."""


def reward(example: Example, said: Said, spec: Spec) -> float | None:
    """1.0 or 0.0.

    Raises:
        RecipeError: The schema refers to something that is not in it.
    """
    is_json, value = read_answer(said.text)
    try:
        return float(is_json and spec.schema_of_answer.fault_of(value) is None)
    except JsonFault as error:
        where, fix = "train.rewards.json-schema.json_schema", _("correct the reference")
        raise RecipeError(Problem(where, str(error), fix)) from error
