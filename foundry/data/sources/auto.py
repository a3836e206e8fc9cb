"""Source `auto`: the kind is found in the file itself, see `foundry/data/reading.py`."""

from foundry.core.fields import Closed

SUFFIXES = ()


class Spec(Closed):
    """Nothing to set: to set how a file is read, name its kind."""
