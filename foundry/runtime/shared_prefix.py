"""What all prompts of a call begin with, read once and not once for each of them.

Questions of one task may share a system text, a list of labels, or worked examples, as those of the
benchmark banking77 do; a recipe without these shares little. The keys and values of those ids are
the same for every row, since no id sees what follows it. A row's copy stands behind the row's
padding, so that a batch is what it is without: ids padded on the left, of which the first columns
have been read (C26).
"""

# B rows, H heads of keys and values, P ids read once, D the width of a head

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

LEAST = 16  # a shorter beginning is not worth a pass of its own
# Attention whose keys depend on nothing but their own ids and places.
PLAIN = {"full_attention", "sliding_attention"}
# Rotary embeddings that are others in a longer text (transformers' modeling_rope_utils.py).
BY_LENGTH = {"dynamic", "longrope"}


@dataclass(frozen=True)
class SharedPrefix:
    """Ids that all prompts begin with, as the model has read them.

    Attributes:
        config: The model's, which says what its cache keeps.
        length: How many ids.
        layers: Keys and values of each layer, both (1, H, P, D).
    """

    config: Any
    length: int
    layers: Sequence[tuple[torch.Tensor, torch.Tensor]]

    @classmethod
    def read(cls, model: Any, prompts: Sequence[Sequence[int]]) -> Self | None:
        """Read what `prompts` share; None where that does not pay, or the model does not allow it.

        At least the last id of every prompt is left, after which the answer begins.

        Args:
            model: A causal language model.
            prompts: Ids of each, none empty.
        """
        if len(prompts) < 2 or not has_plain_keys(model):
            return None
        length = min(shared_length(prompts), min(map(len, prompts)) - 1)
        if length < LEAST:
            return None
        from transformers import DynamicCache

        ids_1P = torch.tensor([list(prompts[0][:length])])
        everything = DynamicCache()  # a cache made for the model forgets what its window leaves
        model(
            input_ids=ids_1P.to(model.get_input_embeddings().weight.device),
            cache=everything,
            use_cache=True,
            logits_to_keep=1,
        )
        layers = [(layer.keys, layer.values) for layer in everything.layers]
        return cls(model.config, length, layers)

    def cache(self, padding: Sequence[int]) -> Any:
        """The first P columns of a batch as the model would have read them.

        Args:
            padding: How many ids of padding each row of the batch begins with. Of the longest row
                that is none; a shorter row has so much less of the beginning in those columns.
        """
        from transformers import DynamicCache

        made = DynamicCache(config=self.config)
        for number, (keys, values) in enumerate(self.layers):
            made.update(_moved(keys, padding), _moved(values, padding), number)
        return made


def shared_length(prompts: Sequence[Sequence[int]]) -> int:
    """How many ids all of `prompts` begin with."""
    first, last = min(map(list, prompts)), max(map(list, prompts))  # those that differ soonest
    differ = (n for n, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return next(differ, min(len(first), len(last)))


def _moved(x_1HPD: torch.Tensor, padding: Sequence[int]) -> torch.Tensor:
    """A copy for each row, moved to the right by its padding; (B, H, P, D)."""
    _, heads, length, width = x_1HPD.shape
    made_BHPD = x_1HPD.new_zeros(len(padding), heads, length, width)
    for row, pad in enumerate(padding):
        made_BHPD[row, :, pad:] = x_1HPD[0, :, : max(length - pad, 0)]
    return made_BHPD


def has_plain_keys(model: Any) -> bool:
    """Whether all that is kept of a text are keys and values that hang on nothing but their places.

    Neither what stands after them nor what stands beside them in a batch changes them then.
    """
    config = model.config.get_text_config(decoder=True)
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds <= PLAIN or getattr(config, "attention_chunk_size", None) is not None:
        return False
    return not turns_by_length(config)


def turns_by_length(config: Any) -> list[int]:
    """The lengths beyond which a text of the model turns its positions otherwise; mostly none.

    All that goes through the model together is turned as the longest text is.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    each = rope.values() if all(isinstance(one, dict) for one in rope.values()) else [rope]
    most = getattr(config, "max_position_embeddings", 0)
    kinds = [one for one in each if one.get("rope_type") in BY_LENGTH]
    return [one.get("original_max_position_embeddings") or most for one in kinds]
