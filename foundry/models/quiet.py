"""Keep the libraries we stand on from phoning home, drawing bars or chattering.

TRL's trainers send telemetry unless the hub's library was told not to (engines.md 1).
"""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _

ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "WANDB_DISABLED": "true",
}
LOGGERS = (
    *("transformers", "trl", "peft", "accelerate", "datasets", "torch", "huggingface_hub"),
    "lm_eval",
)
OFFLINE = "HF_HUB_OFFLINE"
TRUE = {"1", "ON", "YES", "TRUE"}  # what the hub's library takes for true
_set_by_us: set[str] = set()


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, imports and calls of libraries say only what is an error, and nothing on stdout.

    accelerate imports DeepSpeed wherever that is installed, which then warns on stdout through a
    logger whose level it sets itself (`deepspeed/utils/logging.py`, 0.19).
    """
    hush()
    with warnings.catch_warnings(), redirect_stdout(sys.stderr), _errors_alone():
        warnings.simplefilter("ignore")
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        yield


@contextmanager
def _errors_alone() -> Iterator[None]:
    """Inside, no logger says less than an error, whatever level it sets itself."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


def hush() -> None:
    """The same for the hub's library alone; transformers, slow to import, stays where it is."""
    os.environ.update(ENVIRONMENT)
    if OFFLINE not in os.environ:
        os.environ[OFFLINE] = "1"
        _set_by_us.add(OFFLINE)
    _say_again()


@contextmanager
def online() -> Iterator[None]:
    """Inside, and nowhere else, the hub may be called.

    Raises:
        ResourceError: The user has forbidden it with `HF_HUB_OFFLINE` or `FOUNDRY_OFFLINE`.
    """
    for name in ("FOUNDRY_OFFLINE", OFFLINE):
        if os.environ.get(name, "").upper() in TRUE and name not in _set_by_us:
            what = _("forbids any connection (found: {value})").format(value=os.environ[name])
            raise ResourceError(Problem(name, what, f"unset {name}"))
    os.environ.update(ENVIRONMENT)
    from huggingface_hub import constants

    _say_again()
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _say_again() -> None:
    """Say again what the hub's library reads only when it is imported, which may be over."""
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
