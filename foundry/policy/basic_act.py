"""Taiwan's AI Basic Act: what is known of it, and which file of a package bears on what it asks.

The facts are in `configs/acts/`, each with how well it is known. Nothing here is legal advice.
"""

from functools import cache

from pydantic import Field

from foundry.core import facts, shipped
from foundry.core.fields import Closed, Many
from foundry.core.recipe import Text, Words

ACT = "ai-basic-act-tw"


class Shown(Closed):
    """A place in a package that bears on what is asked."""

    file: Words
    path: Words | None = Field(description="JSON path in the file; null: the file itself.")
    about: Text


class Asked(Closed):
    """One principle, or one thing to say of a model, with what a package may show for it."""

    title: Text
    shown: Many[Shown]


class Act(facts.Fact):
    """What is known of the act."""

    title: Text
    passed: Words = Field(description="Date on which parliament passed it.")
    text_read: bool = Field(description="Whether the text itself was read for these facts.")
    source: Words
    read_on: Words
    risk_classes: Text
    penalties: Text
    asked: Many[Asked]
    principles: Many[Asked]


@cache
def act() -> Act:
    """The act; read once.

    Raises:
        RecipeError: The file is wrong; each problem with file, line and key.
    """
    return facts.read_folder(shipped.root() / "configs" / "acts", Act)[ACT]
