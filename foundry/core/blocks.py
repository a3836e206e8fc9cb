"""A block of a recipe whose keys a plug-in defines: `{kind: lora, rank: 16}`.

`kind` names the plug-in file; the other keys are checked by the `Spec` in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializationInfo,
    SerializeAsAny,
    ValidationError,
    model_serializer,
)
from pydantic_core import InitErrorDetails, PydanticKnownError, core_schema

from foundry.core import plugins
from foundry.core.fields import Refused

JsonSchema = dict[str, Any]


class Block(BaseModel):
    """A plug-in's name and its checked settings."""

    model_config = ConfigDict(frozen=True)

    kind: str
    spec: SerializeAsAny[BaseModel]

    @model_serializer(mode="plain")
    def _as_written(self, info: SerializationInfo) -> dict[str, Any]:
        return {"kind": self.kind, **self.spec.model_dump(mode=info.mode, by_alias=True)}


@dataclass(frozen=True)
class Plugin:
    """Marks a field as a block of a plug-in point; `default` is the kind where none is written."""

    point: str
    default: str | None = None

    def spec(self, kind: str) -> type[BaseModel]:
        """The `Spec` of the plug-in `kind`."""
        return cast(type[BaseModel], plugins.load(self.point, kind).Spec)

    def kind_of(self, block: object) -> str | None:
        """The kind a written block means, or None if it means none that exists."""
        kind = block.get("kind", self.default) if isinstance(block, Mapping) else None
        return kind if isinstance(kind, str) and kind in plugins.names(self.point) else None

    def read(self, value: Any) -> Any:
        """Turn a written block into a `Block`; an error points at the key that is wrong."""
        if isinstance(value, Block):
            return value
        if not isinstance(value, Mapping):
            raise PydanticKnownError("dict_type")
        kind = self.kind_of(value)
        if kind is None:
            raise self._wrong_kind(value)
        rest = {key: item for key, item in value.items() if key != "kind"}
        return Block(kind=kind, spec=self.spec(kind).model_validate(rest))

    def _wrong_kind(self, value: Mapping[str, Any]) -> ValidationError:
        if "kind" not in value:
            error = InitErrorDetails(type="missing", loc=("kind",), input=value)
        else:
            problem = plugins.unknown_kind(self.point, value["kind"])
            ctx = {"error": Refused(problem.what, problem.fix)}
            error = InitErrorDetails(
                type="value_error", loc=("kind",), input=value["kind"], ctx=ctx
            )
        return ValidationError.from_exception_data("block", [error])

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        return {"oneOf": [self._branch(kind, handler) for kind in plugins.names(self.point)]}

    def _branch(self, kind: str, handler: GetJsonSchemaHandler) -> JsonSchema:
        spec = self.spec(kind)
        schema = dict(handler.resolve_ref_schema(handler(spec.__pydantic_core_schema__)))
        needs = [] if kind == self.default else ["kind"]
        schema["title"] = kind
        schema["properties"] = {"kind": {"const": kind}, **schema.get("properties", {})}
        schema["required"] = [*needs, *schema.get("required", [])]
        return schema
