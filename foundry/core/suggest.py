"""What to do about a key that a recipe does not accept: rename it, move it, or leave it out."""

import re
from collections.abc import Iterable

from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.core.yaml_places import Path, dotted

# What other toolkits call our keys (transformers and TRL, PEFT, LLaMA-Factory, Axolotl, Unsloth).
FOREIGN = {
    "base_model_name_or_path": "base_model",
    "cutoff_len": "max_seq_len",
    "dataset": "data",
    "license": "licence",
    "lora": "adapter",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_r": "rank",
    "lora_rank": "rank",
    "lora_target": "target_modules",
    "lora_target_modules": "target_modules",
    "lr": "learning_rate",
    "lr_scheduler": "schedule",
    "lr_scheduler_type": "schedule",
    "max_length": "max_seq_len",
    "max_seq_length": "max_seq_len",
    "micro_batch": "micro_batch_size",
    "model": "base_model",
    "model_name": "base_model",
    "model_name_or_path": "base_model",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "per_device_train_batch_size": "micro_batch_size",
    "peft": "adapter",
    "r": "rank",
    "save_steps": "checkpoint_every",
    "save_total_limit": "keep_checkpoints",
    "sequence_len": "max_seq_len",
    "system_prompt": "system",
    "training": "train",
    "training_args": "train",
    "training_arguments": "train",
}


def unknown_key(path: Path, accepted: Iterable[Path]) -> tuple[str, Path | None]:
    """The fix for the unknown key at `path`, and the accepted key that was meant, if any."""
    key, section = str(path[-1]), path[:-1]
    here: dict[str, None] = {}
    elsewhere: dict[str, Path] = {}
    for other in accepted:
        if other[:-1] == section:
            here[str(other[-1])] = None
        elif isinstance(other[-1], str):
            elsewhere[other[-1]] = _better(elsewhere.get(other[-1]), other, section)
    word = _normal(key)
    foreign = FOREIGN.get(word, "")
    if name := _first(word, foreign, nearest(word, here, 0.72), among=here):
        return _("rename it to `{name}`").format(name=name), (*section, name)
    if name := _first(key, word, foreign, among=elsewhere):
        return _("move it to `{path}`").format(path=dotted(elsewhere[name])), elsewhere[name]
    if name := _first(nearest(word, here), among=here):
        return _("rename it to `{name}`").format(name=name), (*section, name)
    if name := _first(nearest(word, elsewhere, 0.8), among=elsewhere):
        return _("move it to `{path}`").format(path=dotted(elsewhere[name])), elsewhere[name]
    if here:
        return _("remove it; accepted here: {keys}").format(keys=", ".join(here)), None
    return _("remove it; nothing is accepted here"), None


def _normal(key: str) -> str:
    """`numEpochs`, `num-epochs` and `NUM_EPOCHS` are one word."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
    return parted.replace("-", "_").replace(" ", "_").lower()


def _first(*words: str | None, among: Iterable[str]) -> str | None:
    return next((word for word in words if word in set(among)), None)


def _better(old: Path | None, new: Path, section: Path) -> Path:
    """The more likely home of a key: not in a list, then the one nearer to the section."""
    if old is None:
        return new

    def rank(path: Path) -> tuple[bool, int, int]:
        shared = sum(1 for a, b in zip(path, section, strict=False) if a == b)
        return any(isinstance(part, int) for part in path), -shared, len(path)

    return min(old, new, key=rank)
