"""Check a record against the JSON Schema of a recipe, and put its keys in the schema's order.

The rules are the library's, `jsonschema` for draft 2020-12. Nothing is ever fetched: a `$ref` that
leads out of the schema is a fault.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import Field, model_validator

from foundry.core.fields import Closed, Refused
from foundry.core.language import gettext as _
from foundry.data.strict_json import JsonFault, parse

LONGEST = 200  # characters of a fault, which may name a whole value


def check(schema: Mapping[str, Any]) -> None:
    """Refuse what is no schema.

    Raises:
        Refused: Says what is wrong and where.
    """
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise Refused(_told(error)) from error


class RecordSchema:
    """A schema that `check` accepted, ready for many records."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        from jsonschema import Draft202012Validator
        from referencing import Registry

        self.document = document
        self._validator = Draft202012Validator(document, registry=Registry())

    def fault_of(self, value: Any) -> str | None:
        """What keeps a record of plain JSON values from fitting, None if it fits.

        Raises:
            JsonFault: The schema refers to something that is not in it.
        """
        return self._told(value, self.document)

    def fault_of_field(self, name: str, value: Any) -> str | None:
        """What keeps a value from being the field `name`, None if it may; as `fault_of`.

        A reference in the field's schema is looked up in the whole document.
        """
        return self._told(value, self.field(name))

    def field(self, name: str) -> Mapping[str, Any] | bool:
        """The schema of a field, which may also be `true` or `false`; `true` if there is none."""
        found: Mapping[str, Any] | bool = self.document.get("properties", {}).get(name, True)
        return found

    def _told(self, value: Any, schema: Mapping[str, Any] | bool) -> str | None:
        from referencing.exceptions import Unresolvable

        try:
            error = next(iter(self._validator.descend(value, schema)), None)
        except Unresolvable as reason:
            what = _("the schema's reference {ref} leads nowhere")
            raise JsonFault(what.format(ref=reason.ref)) from reason
        return None if error is None else _told(error)


def in_order(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value with the keys of each object in the order of `properties`, others behind them.

    Lists are followed through `items`; `$ref`, `anyOf` and their like are not.
    """
    if isinstance(value, Mapping):
        properties = schema.get("properties", {})
        names = [*(name for name in properties if name in value), *value]
        return {n: in_order(value[n], _inner(properties.get(n))) for n in dict.fromkeys(names)}
    if isinstance(value, list):
        return [in_order(item, _inner(schema.get("items"))) for item in value]
    return value


def typed(cell: Any, schema: Mapping[str, Any] | bool) -> Any:
    """A cell as the value that its schema wants: of a table, `12` is a number where one is wanted.

    Text stays text where the schema allows text, or where it is no JSON, which is then told as
    not fitting.
    """
    kinds = _inner(schema).get("type", "string")
    if not isinstance(cell, str) or "string" in ([kinds] if isinstance(kinds, str) else kinds):
        return cell
    try:
        return parse(cell)
    except JsonFault:
        return cell


def _inner(schema: Any) -> Mapping[str, Any]:
    """A schema inside a schema, which may also be `true` or absent."""
    return schema if isinstance(schema, Mapping) else {}


def _told(error: Any) -> str:
    place = ".".join(map(str, error.absolute_path))
    text = f"{place}: {error.message}" if place else error.message
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


class AnswerSchema(Closed):
    """The schema that answers must fit, for an evaluator as for a reward."""

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
