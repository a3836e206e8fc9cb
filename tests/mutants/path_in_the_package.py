"""A record names a folder of the machine it was made on (C43)."""

from foundry.delivery import private
from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "records are not freed of this machine's folders",
        lambda patch: patch.setattr(private, "freed", lambda text, secret: text),
        "package",
        "foundry/recipe.yaml",
        "holds a path of this machine",
    ),
)
