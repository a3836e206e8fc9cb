"""The `data.split` block: which rows are held out of training."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from foundry.core.fields import Closed, Number, Refused, Seed
from foundry.core.language import gettext as _


class Split(Closed):
    """Rows of the sources held out of training: to test with, and to watch the training with."""

    test: Number | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the rows held out as the test part `test`, between 0 and 1.",
    )
    validation: Number | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the rows held out to measure the loss on while training.",
    )
    group_by: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="Column whose equal values stay on one side, such as a product or a customer.",
    )
    seed: Seed = Field(0, description="Which rows are drawn.")

    @model_validator(mode="after")
    def _holds_out_some(self) -> Self:
        if self.test is None and self.validation is None:
            what = _("the split holds out nothing")
            raise Refused(what, _("add `test: 0.1` or `validation: 0.1` to it"))
        if self.held_out >= 1:
            what = _("the split leaves nothing to learn ({share} of the rows are held out)")
            share = f"{float(self.held_out):.0%}"
            raise Refused(what.format(share=share), _("let the shares be less than 1 together"))
        return self

    @property
    def held_out(self) -> float:
        """Share of the rows that are not trained on."""
        return float(self.test or 0) + float(self.validation or 0)
