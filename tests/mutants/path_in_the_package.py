"""A record names a folder of the machine it was made on (C43)."""

import pytest

from foundry.delivery import package, private
from tests.mutants.mutant import Mutant


def whole_and_not_freed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(package, "public_plan", lambda plan: plan.as_dict())
    patch.setattr(private, "freed", lambda text, secret: text)


MUTANTS = (
    Mutant(
        "the plan keeps the base's folder",
        whole_and_not_freed,
        "package",
        "foundry/plan.json",
        "holds a path of this machine",
    ),
)
