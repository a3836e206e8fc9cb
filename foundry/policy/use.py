"""What is to be done with a model, and every licence that has a say in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from foundry.policy.licence import Licence, find

RESEARCH = "research"  # the purpose (or its first word) under which non-commercial terms are kept

Role = Literal["base", "built-on", "data", "generated-by"]
Distribution = Literal["internal", "same-terms", "proprietary"]


@dataclass(frozen=True)
class Use:
    """What is to be done.

    Attributes:
        purpose: In a word; None where nobody said.
        commercial: Whether money is to be made; where None, every purpose but research counts.
        distribution: Whether the result stays in the house, goes out under the terms of base and
            data, or under terms of one's own.
        model_name: What the result is called; None where it has no name yet.
        monthly_users: Of all products of whoever uses it; None where nobody said.
    """

    purpose: str | None = None
    commercial: bool | None = None
    distribution: Distribution = "same-terms"
    model_name: str | None = None
    monthly_users: int | None = None

    @property
    def is_commercial(self) -> bool:
        """Whether non-commercial terms forbid it."""
        if self.commercial is not None or self.purpose is None:
            return bool(self.commercial)
        return self.purpose.strip().lower().split("-")[0] != RESEARCH


@dataclass(frozen=True)
class Bound:
    """A licence that has a say.

    Attributes:
        of: What it is the licence of: `base_model`, a file of data, a model.
        licence: Its terms.
        role: The base model; a model that the base was made from; data; a model that made data.
        site: Where the base's weights were got, as an address; None where nobody said.
        attribution: The statement that names the source; None where there is none.
    """

    of: str
    licence: Licence
    role: Role
    site: str | None = None
    attribution: str | None = None


def binding(bound: Iterable[Bound]) -> list[Bound]:
    """Those that bind, with the licences they include in turn, each pair once.

    A model that made data has no say where its licence leaves models trained on its output alone.
    """
    found: dict[tuple[str, str], Bound] = {}
    todo = [b for b in bound if not _leaves_output_alone(b)]
    while todo:
        one = todo.pop(0)
        if (one.of, one.licence.name) in found:
            continue
        found[one.of, one.licence.name] = one
        role: Role = "built-on" if one.role == "base" else one.role
        todo[:0] = [Bound(one.of, find(name), role) for name in one.licence.includes]
    return list(found.values())


def _leaves_output_alone(bound: Bound) -> bool:
    return bound.role == "generated-by" and bound.licence.output_trained_models_bound is False
