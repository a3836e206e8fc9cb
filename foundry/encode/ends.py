"""Which token ids end an answer: those that were trained, and the base model's own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foundry.core.records import BaseModel


def all_stop_ids(trained: Sequence[int], declared: Any, eos: int | None) -> tuple[int, ...]:
    """Trained terminators and the base's own end tokens, each once (C36, C80).

    Args:
        trained: Ids that the rows supervise at the end of each assistant turn.
        declared: `eos_token_id` of the base's generation config: an int, a list or None.
        eos: The tokenizer's EOS, or None.
    """
    others = declared if isinstance(declared, list) else [declared]
    return tuple(dict.fromkeys(i for i in [*trained, *others, eos] if i is not None))


def ends_of(base: BaseModel, trained: Sequence[int], eos: int | None) -> tuple[int, ...]:
    """The same for a base model, by what its folder declares."""
    path = Path(base.folder) / "generation_config.json"
    declared = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return all_stop_ids(trained, declared.get("eos_token_id"), eos)
