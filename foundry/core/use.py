"""The blocks of a recipe that a licence asks about: where weights came from, what becomes of them.

The rules are in `foundry/policy/conflicts.py`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from foundry.core.fields import Closed, Refused
from foundry.core.language import gettext as _

Said = Annotated[str, Field(min_length=1)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""A country by its two letters in ISO 3166-1."""


class UseSettings(Closed):
    """What is to be done with the result; licences allow one thing and forbid another."""

    commercial: bool | None = Field(
        None,
        description="Whether money is to be made with it; where absent, every purpose but "
        "`research` (or a word that begins with `research-`) counts as commercial.",
    )
    distribution: Literal["internal", "same-terms", "proprietary"] = Field(
        "same-terms",
        description="`internal`: it stays in the house; `same-terms`: it goes out under the terms "
        "of base and data; `proprietary`: under terms of your own.",
    )
    monthly_users: int | None = Field(
        None, ge=0, description="Monthly users of all your products; some licences have a cap."
    )


class BaseOrigin(Closed):
    """What weights in a folder are; a name of the catalogue says it by itself."""

    same_as: Said | None = Field(
        None, description="Name of `foundry model list` that the folder holds; its terms apply."
    )
    terms: Said | None = Field(
        None, description="Their licence, for weights that the catalogue does not know."
    )
    site: Said | None = Field(
        None,
        description="Address they were got from; some licences allow certain sites only.",
    )

    country: Country | None = Field(
        None,
        description="ISO 3166-1 code of where weights come from that the catalogue does not know.",
    )

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if self.same_as is not None and self.country is not None:
            raise Refused(_("give `same_as` or `country`, not both"), _("remove one of them"))
        if self.same_as is not None and self.terms is not None:
            raise Refused(_("give `same_as` or `terms`, not both"), _("remove one of them"))
        return self
