"""Questions about licences, with a recipe or without: what a person may do with which model."""

from dataclasses import dataclass
from pathlib import Path

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.use import BaseOrigin
from foundry.models import catalogue, terms
from foundry.policy import licence as policy
from foundry.policy.use import Bound, Use
from foundry.policy.verdict import Verdict


@dataclass(frozen=True)
class AdHoc:
    """A question without a recipe.

    Attributes:
        base: A base model: name of the catalogue, hub id, or a licence.
        data: Licences of the data.
        generated_by: Models that wrote the data.
        attribution: The statement that names the data's source.
        site: Where the base's weights were got.
        use: What is to be done.
    """

    base: str | None
    data: tuple[str, ...]
    generated_by: tuple[str, ...]
    attribution: str | None
    site: str | None
    use: Use

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked about."""
        return self.base is None and not self.data and not self.generated_by

    def verdict(self) -> Verdict:
        """The answer.

        Raises:
            RecipeError: Nothing was asked about, or a name means nothing.
        """
        if self.is_empty:
            what = _("nothing is asked about")
            fix = _("name a recipe, package, model or licence; or give `--base`, `--data-licence`")
            raise RecipeError(Problem("licence", what, fix))
        found: list[Bound] = []
        if self.base is not None:
            found += _base(self.base, self.site)
        for name in self.data:
            for licence in policy.named(name):
                found.append(Bound("data", licence, "data", attribution=self.attribution))
        for model in self.generated_by:
            found += terms.of_model(model, "generated-by", of=f"data ({model})")
        return Verdict.of(found, self.use)


def _base(name: str, site: str | None) -> list[Bound]:
    if name.strip().lower() in _licence_names():
        return [Bound(terms.BASE, policy.find(name), "base", site)]
    return list(terms.of_base(name, BaseOrigin(site=site), Path()))


def of_known(name: str, use: Use) -> Verdict | None:
    """What a licence's name or a base model's says by itself; None where it is neither."""
    if name.strip().lower() in _licence_names():
        return Verdict.of([Bound("", policy.find(name), "data", attribution=name)], use)
    entry = catalogue.entry_of(name)
    if entry is None:
        return None
    return Verdict.of(list(terms.of_base(entry.name, BaseOrigin(), Path("/"))), use)


def of_recipe(loaded: LoadedRecipe) -> Verdict:
    """What a recipe's licences say to what it is for."""
    bound = terms.of_recipe(loaded.recipe, loaded.path.parent)
    return Verdict.of(bound, terms.use_of(loaded.recipe))


def _licence_names() -> set[str]:
    return {name for licence in policy.load_licences().values() for name in licence.names}
