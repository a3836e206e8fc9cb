"""Records of the Model Openness Framework: read a MOF YAML file, write one.

The form is that of lfai/model_openness_tool at 8b5d30e9, schema/mof_schema.json. What we have no
use for is left alone: such a file may come from anyone.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from foundry.core import explain, yaml_places
from foundry.core.errors import DataError, Place, Problem, RecipeError, ResourceError
from foundry.core.explain import locate
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.policy.openness import Given, Rules, rules

MAX_BYTES = 1 << 20  # the largest record of LF AI's database has 6 kB

Scope = Literal["distribution", "code", "data", "document"]


def _empty_is_none(value: Any) -> Any:
    """An empty list or text is how LF AI's tool writes that there is none."""
    return None if value in ("", [], {}) else value


Maybe = Annotated[str | None, BeforeValidator(_empty_is_none)]


class _Open(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Named(_Open):
    name: Maybe = None


class _Component(_Open):
    name: str
    license: Maybe = None


class _Release(_Open):
    name: str
    producer: Maybe = None
    huggingface: Maybe = None
    license: Annotated[dict[str, _Named] | None, BeforeValidator(_empty_is_none)] = None
    components: list[_Component] = Field(min_length=1)


class _Document(_Open):
    release: _Release


class MofRecord(BaseModel):
    """What a MOF YAML file says.

    Attributes:
        name: Of the model.
        producer: Who made it.
        hub: Address of its page on Hugging Face.
        licences: Of everything (`distribution`), or of all code, data or documents.
        components: Name of each part that is given -> its own licence, None where it has none.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    producer: str | None = None
    hub: str | None = None
    licences: Mapping[Scope, str] = {}
    components: Mapping[str, str | None]

    def given(self, known: Rules) -> Given:
        """Each part with the licence that holds for it: its own, its content's, everything's."""
        found: Given = {}
        for part in known.components:
            if part.name in self.components:
                own = self.components[part.name]
                general = self.licences.get(part.content) or self.licences.get("distribution")
                found[part.name] = own or general
        return found


def read(path: Path) -> MofRecord:
    """The record in a file.

    Raises:
        DataError: Not such a file; each problem with file, line and key.
        ResourceError: There is no such file, or it cannot be read.
    """
    try:
        content = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        what = _("cannot be read ({error})").format(error=error.strerror)
        fix = _("give a MOF YAML file, a model of `foundry model list`, or a package's folder")
        raise ResourceError(Problem(str(path), what, fix)) from error
    if len(content) > MAX_BYTES:
        what = _("larger than any MOF record ({size} bytes and more)").format(size=MAX_BYTES)
        raise DataError(Problem(str(path), what, _("give a MOF YAML file")))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = _("not UTF-8 (byte {place})").format(place=error.start)
        raise DataError(Problem(str(path), what, _("save the file as UTF-8"))) from error
    return parse(text, str(path))


def parse(text: str, label: str) -> MofRecord:
    """The record in a text; `label` is what messages call it.

    Raises:
        DataError: See `read`.
    """
    try:
        tree, problems = yaml_places.read(text, lambda line, column: Place(label, line, column))
    except RecipeError as error:
        raise DataError(error.problems) from error
    try:
        release = _Document.model_validate(tree.plain()).release
    except ValidationError as error:
        fix = _("write it as the example in docs/openness.md")
        told = [replace(one, fix=fix) for one in explain.problems(error, tree, _Document)]
        raise DataError([*problems, *told]) from error
    problems += _unknown_parts(release, tree)
    if problems:
        raise DataError(problems)
    general = release.license or {}
    return MofRecord(
        name=release.name,
        producer=release.producer,
        hub=release.huggingface,
        licences={
            scope: general[scope].name
            for scope in ("distribution", "code", "data", "document")
            if scope in general and general[scope].name
        },
        components={one.name: one.license for one in release.components},
    )


def _unknown_parts(release: _Release, tree: yaml_places.Node) -> list[Problem]:
    names = [part.name for part in rules().components]
    problems, seen = [], set()
    for number, one in enumerate(release.components):
        where = locate(tree, ("release", "components", number, "name"))
        if one.name not in names:
            near = nearest(one.name, names)
            what = _("no component of the framework is called so (`{name}`)")
            fix = _("use `{name}`").format(name=near) if near else _("use one of {names}")
            fix = fix.format(names=", ".join(names))
            problems.append(Problem(where, what.format(name=one.name), fix))
        elif one.name in seen:
            what = _("`{name}` is there twice").format(name=one.name)
            problems.append(Problem(where, what, _("remove one of them")))
        seen.add(one.name)
    return problems


def dump(record: MofRecord) -> str:
    """The record as MOF YAML, in the framework's order of components, always the same bytes."""
    known = rules()
    value = {
        "framework": known.framework.model_dump(),
        "release": {
            "name": record.name,
            "producer": record.producer or "",
            "huggingface": record.hub or "",
            "license": {scope: {"name": name} for scope, name in record.licences.items()},
            "components": [
                {"name": part.name, **_own_licence(record.components[part.name])}
                for part in known.components
                if part.name in record.components
            ],
        },
    }
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)


def _own_licence(name: str | None) -> dict[str, str]:
    return {} if name is None else {"license": name}
