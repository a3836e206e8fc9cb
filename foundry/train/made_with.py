"""The rule for going on with other versions: a half-trained run keeps what it began with.

Another version of a library that computes may give other numbers from the same checkpoint, and no
record would show it: refused. Another processor or number of threads rounds otherwise in the last
digits: told, and gone on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundry.core.environment import environment
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _

COMPUTING = ("torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes", "numpy")


def made_with() -> dict[str, Any]:
    """What a checkpoint says of the machine that made it."""
    found = environment()
    packages = {name: found["packages"][name] for name in COMPUTING}
    machine = {k: found[k] for k in ("cpu", "cores", "settings")}
    return {"packages": packages, "machine": {**machine, "accelerator": _accelerator()}}


def _accelerator() -> str | None:
    """The card that torch would use, as it calls it."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def check_same(then: Mapping[str, Any], checkpoint: Path) -> list[str]:
    """What is different on this machine and may be.

    Args:
        then: `made_with` as the checkpoint has it.
        checkpoint: Its folder, for the message.

    Raises:
        ResourceError: A library that computes has another version; names both.
    """
    now = made_with()
    changed = {
        name: (version, now["packages"].get(name))
        for name, version in then["packages"].items()
        if version != now["packages"].get(name)
    }
    if changed:
        pairs = [f"{name} {before} -> {after}" for name, (before, after) in changed.items()]
        what = _("was made with other versions: {changes}").format(changes=", ".join(pairs))
        wanted = " ".join(f"{name}=={before}" for name, (before, _now) in changed.items() if before)
        fix = _("pip install {wanted}, or remove {folder} to train from the start")
        filled = fix.format(wanted=wanted, folder=checkpoint.parent)
        raise ResourceError(Problem(str(checkpoint), what, filled))
    return [key for key, value in then["machine"].items() if value != now["machine"][key]]
