"""Whether a value that a call gives is the one wanted, by what the tool's schema says of it.

JSON has no sets. A list is compared in order unless its schema says `uniqueItems`: that is how a
set is declared (pydantic writes `set[str]` so), and columns to show or filters that all must hold
are sets. Where the schema lets a number stand, 500.0 is 500; elsewhere a whole number is not one
with a fraction. Schemas are followed through `properties` and `items`, not through references.

Source: https://json-schema.org/draft/2020-12/json-schema-validation, sections 6.1.1 and 6.4.3;
Patil et al. (2025), "The Berkeley Function Calling Leaderboard", ICML 2025, section 4.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foundry.data.normalising import normalise

Schema = Mapping[str, Any]
UNKNOWN: Schema = {}


def schemas_of(tools: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Schema]:
    """The schema of each argument of a tool on offer (OpenAI's form); none where it is unknown."""
    found = (tool["function"] for tool in tools if tool["function"]["name"] == name)
    each = _under(_under(next(found, UNKNOWN), "parameters"), "properties")
    return {key: _under(each, key) for key in each}


def same_value(value: Any, wanted: Any, schema: Schema = UNKNOWN) -> bool:
    """Equal in type and value; texts normalised, lists in order unless sets, objects by key."""
    if isinstance(value, str) and isinstance(wanted, str):
        return normalise(value) == normalise(wanted)
    if isinstance(value, list) and isinstance(wanted, list):
        return _same_list(value, wanted, schema)
    if isinstance(value, dict) and isinstance(wanted, dict):
        each = _under(schema, "properties")
        return value.keys() == wanted.keys() and all(
            same_value(value[key], wanted[key], _under(each, key)) for key in wanted
        )
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if _is_numeric(value) and isinstance(wanted, int | float if _may_be_number(schema) else float):
        return bool(value == wanted)
    return type(value) is type(wanted) and bool(value == wanted)


def all_paired(
    given: Sequence[Any], wanted: Sequence[Any], fits: Callable[[Any, Any], bool]
) -> bool:
    """Whether each one given can be the partner of another one wanted, in any order."""
    if len(given) != len(wanted):
        return False
    if not given:
        return True
    import numpy as np
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    pairs = csr_matrix(np.array([[fits(one, other) for other in wanted] for one in given]))
    return bool((maximum_bipartite_matching(pairs, perm_type="column") >= 0).all())


def _same_list(value: Sequence[Any], wanted: Sequence[Any], schema: Schema) -> bool:
    each = _under(schema, "items")

    def same(one: Any, other: Any) -> bool:
        return same_value(one, other, each)

    if schema.get("uniqueItems") is True:
        return all_paired(value, wanted, same)
    return len(value) == len(wanted) and all(map(same, value, wanted))


def _may_be_number(schema: Schema) -> bool:
    """Whether `number` is the schema's type or one of its types."""
    named = schema.get("type")
    return named == "number" or (isinstance(named, list) and "number" in named)


def _is_numeric(value: Any) -> bool:
    return isinstance(value, int | float)


def _under(schema: Schema, key: str) -> Schema:
    found = schema.get(key)
    return found if isinstance(found, dict) else UNKNOWN
