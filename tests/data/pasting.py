"""What a fix becomes in the recipe of whoever pastes it."""

import yaml

from foundry.core import plugins
from foundry.core.blocks import Block


def pasted(fix: str) -> Block:
    """The `read` block that stands between the backticks of a fix."""
    block = yaml.safe_load(fix[fix.index("`") + 1 : fix.rindex("`")])["read"]
    kind = block.pop("kind")
    return Block(kind=kind, spec=plugins.load("source", kind).Spec.model_validate(block))
