"""Keep the libraries we stand on from phoning home, drawing bars or chattering.

TRL's trainers send telemetry unless this is set before any Hugging Face import (engines.md 1).
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "WANDB_DISABLED": "true",
}
LOGGERS = ("transformers", "trl", "peft", "accelerate", "datasets", "torch", "huggingface_hub")


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, imports and calls of those libraries say only what is an error."""
    os.environ.update(ENVIRONMENT)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        yield
