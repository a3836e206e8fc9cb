"""Exporter `adapter`: the adapter alone, in PEFT's layout, to be put on the original base."""

from foundry.core.fields import Closed


class Spec(Closed):
    """Nothing to choose: the adapter is written as it was trained."""
