"""Reward `json-schema`: 1 for an answer that is one JSON value and fits the schema, else 0.

A value alone in a code fence is taken out of it, as the evaluator `json-schema` does. It says
nothing of whether the values are right: list `exact-answer` or `required-facts` beside it.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import Field, model_validator

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.data.json_answer import read_answer
from foundry.data.record_schema import RecordSchema, check
from foundry.data.strict_json import JsonFault
from foundry.train.rewarding import RewardSpec, Said


class Spec(RewardSpec):
    """What an answer must look like."""

    json_schema: Mapping[str, Any] | None = Field(
        None, description="JSON Schema (2020-12) that every answer must fit; any JSON if absent."
    )

    @model_validator(mode="after")
    def _is_schema(self) -> Self:
        check(self.json_schema or {})
        return self

    @cached_property
    def schema_of_answer(self) -> RecordSchema:
        """`json_schema` made ready once for all answers."""
        return RecordSchema(self.json_schema or {})


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
