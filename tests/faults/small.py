"""A run that passes every stage in a second or two, in a process that can be killed."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from foundry.core import faults
from tests import tiny_recipe
from tests.end_to_end import killed
from tests.tiny_recipe import RECIPE, Outcome, TinyRecipe, call

TRAIN = {**RECIPE["train"], "max_steps": 16, "learning_rate": 2e-2, "checkpoint_every": 4}
SMALL: Mapping[str, Any] = {
    "train": TRAIN,
    "exports": [{"kind": "adapter"}],
    "evals": [{"kind": "exact-match"}],
    "evaluation": {"few_shot": 0, "max_new_tokens": 4},
}
# What says how long it took, when it was, where it lies, or, as PEFT's list of layers inside a
# checkpoint, stands in random order.
TIMED = re.compile(
    r"\.lock|(events\.jsonl|(plan|train|report|checkpoint)[\w.-]*\.(json|html)|SHA256SUMS)$"
    r"|^package/(claims|foundry/steps|provenance\.intoto|bom\.cdx|sovereignty)\.json$"
    r"|^stamps/|^checkpoints/.*/adapter_config\.json"
)
SECONDS = re.compile(rb'\{"seconds"|- [^:]*1000 [^:]*(answers|\xe9\xa1\x8c)')


def lay_out(folder: Path, base: Path, **train: Any) -> TinyRecipe:
    """The small recipe; `train` overrides keys of its `train` block."""
    return tiny_recipe.lay_out(folder, base, **{**SMALL, "train": {**TRAIN, **train}})


def quick(folder: Path, base: Path, **train: Any) -> TinyRecipe:
    """The small recipe with three steps, each saved: enough for the proofs of training."""
    return lay_out(folder, base, **{"max_steps": 3, "checkpoint_every": 1, **train})


def ask(wanted: str) -> None:
    """Have a fault in this process."""
    os.environ[faults.VARIABLE] = wanted


def struck(recipe: TinyRecipe, wanted: str, *options: str) -> int:
    """Train in a process of its own that meets a fault; the exit code, negative for a signal."""
    return killed.run(recipe.arguments(*options), partial(ask, wanted))


def _trace(path: Path) -> None:
    ask("trace")

    def strike(name: str, _wanted: str) -> None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{name}\n")

    faults.strike = strike


def traced(recipe: TinyRecipe, path: Path, *options: str) -> list[str]:
    """Train undisturbed in a process of its own; every point passed, in order."""
    code = killed.run(recipe.arguments(*options), partial(_trace, path))
    assert code == 0, code
    return path.read_text(encoding="utf-8").split()


def made(recipe: TinyRecipe) -> dict[str, str]:
    """Hash of every file that the run made, of those that no clock and no folder goes into.

    Of those that say how long something took, what they say besides is hashed.
    """
    run = recipe.run
    names = {run.relative(path): path for path in run.path.rglob("*") if path.is_file()}
    return {
        name: hashlib.sha256(_untimed(name, path.read_bytes())).hexdigest()
        for name, path in names.items()
        if not TIMED.search(name)
    }


def _untimed(name: str, content: bytes) -> bytes:
    if name.startswith("evals/answers/") or name == "package/README.md":
        lines = content.splitlines(keepends=True)
        return b"".join(line for line in lines if not SECONDS.match(line))
    if name.startswith("checkpoints/") and name.endswith("/foundry.json"):
        seen = json.loads(content)
        del seen["seconds"]
        return json.dumps(seen).encode()
    return content


def told(recipe: TinyRecipe, *options: str) -> Outcome:
    """Train in this process; a crash is told like any other end."""
    return call(*recipe.arguments(*options, "--json"), may_crash=True)


def again(recipe: TinyRecipe, *options: str) -> Outcome:
    """The same command in this process, to its end."""
    outcome = recipe.train("--json", *options)
    assert outcome.code == 0, outcome
    return outcome


def problems(outcome: Outcome) -> str:
    """What went wrong, as one text."""
    return json.dumps(outcome.document["problems"], ensure_ascii=False)
