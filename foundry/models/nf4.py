"""Linear layers held in four bits: NF4 with double quantisation, by bitsandbytes.

Sixteen levels lie where a normal distribution has equal mass between them; each block of 64 numbers
is divided by its largest, and these divisors are stored in eight bits themselves. Source: Dettmers
et al. (2023), "QLoRA", https://arxiv.org/abs/2305.14314, section 3.
"""

import sys
from collections.abc import Sequence
from typing import Any

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _

# Below it, what is stored in full outweighs what four bits save.
LEAST_SHARE = 0.5


def config(computed: str = "float32", *, in_full: Sequence[str] = ()) -> Any:
    """What transformers is told, so that it stores linear layers so; the head stays in full.

    Args:
        computed: The numbers that products are made in; bfloat16 in the paper.
        in_full: Names of further parts that stay in full.
    """
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, computed),
        llm_int8_skip_modules=list(in_full) or None,
    )


def settle(model: Any, name: str) -> None:
    """Make a freshly quantised model compute alike in training and outside of it.

    Where the processor has AVX512-BF16, bitsandbytes 0.50 repacks a layer at its first use outside
    of training: it then computes in bfloat16 for good and lets no gradient through.

    Raises:
        ResourceError: Less than half of the numbers in the layers are in four bits, as where
            experts are tensors of three dimensions.
    """
    from bitsandbytes.nn import Linear4bit

    decoder = model.get_decoder()
    layers = [module for module in decoder.modules() if isinstance(module, Linear4bit)]
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
    quantised = sum(layer.in_features * layer.out_features for layer in layers)
    embedding = model.get_input_embeddings().weight
    held = {id(layer.weight) for layer in layers} | {id(embedding)}
    full = sum(p.numel() for p in decoder.parameters() if id(p) not in held)
    share = quantised / max(1, quantised + full)
    if share < LEAST_SHARE:
        what = _("{name}: four bits hold {share:.0%} of its layers; its experts would stay in full")
        fix = _("set `adapter.kind: lora`, or choose a base without experts")
        raise ResourceError(Problem("adapter.kind", what.format(name=name, share=share), fix))


def is_held(layer: Any) -> bool:
    """Whether a linear layer is held in four bits."""
    four_bits = sys.modules.get("bitsandbytes.nn")  # not loaded, no layer is
    return four_bits is not None and type(layer) is four_bits.Linear4bit


def in_full(layer: Any, dtype: Any) -> Any:
    """The weights of a linear layer, shape (out, in), in the number type that is asked for."""
    if not is_held(layer):
        return layer.weight.to(dtype)
    from bitsandbytes.functional import dequantize_4bit

    # A weight that processes hold in parts is a plain tensor, and its layer keeps what it lost.
    state = getattr(layer.weight, "quant_state", None) or layer.quant_state
    return dequantize_4bit(layer.weight.data.view(-1, 1), state).to(dtype)
