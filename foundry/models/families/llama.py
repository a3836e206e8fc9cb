"""Llama class (`LlamaForCausalLM`): Llama 3.x headers where the tokenizer brings no template.

llama.cpp rotates pairs of neighbouring rows where transformers rotates halves, so the rows of the
query and key projections are interleaved in GGUF (llama.cpp, `conversion/llama.py`, `permute`).
"""

from typing import Any

MODEL_TYPES = ("llama",)
CHAT_TEMPLATE = "llama3"
GGUF_ARCHITECTURE = "llama"
GGUF_ROPE_TYPES = ("default", "llama3")


def to_gguf(name: str, weight: Any, config: Any) -> Any:
    """The array a GGUF file stores for the Hugging Face tensor `name`.

    Args:
        name: The Hugging Face name, for example `model.layers.0.self_attn.q_proj.weight`.
        weight: float32 array in the Hugging Face layout.
        config: The model's configuration, for the numbers of heads.
    """
    return _interleave(weight, _heads(name, config)) if _heads(name, config) else weight


def adapter_rows(name: str, lora_b: Any, config: Any) -> Any:
    """LoRA's B for a GGUF adapter, shape (rows, rank): the same rows move as in the weight."""
    return to_gguf(name, lora_b, config)


def gguf_metadata(config: Any) -> dict[str, Any]:
    """The architecture's GGUF keys that differ from llama.cpp's common ones, without prefix."""
    return {
        "rope.dimension_count": config.head_dim,
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "vocab_size": config.vocab_size,
    }


def gguf_constants(config: Any) -> dict[str, Any]:
    """Tensors of a GGUF file that are computed from the configuration.

    llama.cpp divides the rotary frequencies by `rope_freqs.weight`, shape (head_dim / 2,). For
    Llama 3.1 and later that is the plain frequency over the scaled one, as transformers has them.
    """
    if config.rope_parameters["rope_type"] != "llama3":
        return {}
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaled, _factor = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    halves = [2 * n / config.head_dim for n in range(config.head_dim // 2)]
    theta = float(config.rope_parameters["rope_theta"])
    plain = [theta**-exponent for exponent in halves]
    return {"rope_freqs.weight": [a / float(b) for a, b in zip(plain, scaled, strict=True)]}


def _heads(name: str, config: Any) -> int:
    if ".q_proj." in name:
        return int(config.num_attention_heads)
    return int(config.num_key_value_heads) if ".k_proj." in name else 0


def _interleave(weight: Any, heads: int) -> Any:
    rows = weight.shape[0]
    halves = weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)
