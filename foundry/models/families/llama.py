"""Llama class (`LlamaForCausalLM`): Llama 3.x headers where the tokenizer brings no template.

llama.cpp rotates pairs of neighbouring rows where transformers rotates halves, so the rows of the
query and key projections are interleaved in GGUF (llama.cpp, `conversion/llama.py`, `permute`).
"""

from typing import Any

MODEL_TYPES = ("llama",)
CHAT_TEMPLATE = "llama3"
GGUF_ARCHITECTURE = "llama"


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


def _heads(name: str, config: Any) -> int:
    if ".q_proj." in name:
        return int(config.num_attention_heads)
    return int(config.num_key_value_heads) if ".k_proj." in name else 0


def _interleave(weight: Any, heads: int) -> Any:
    rows = weight.shape[0]
    halves = weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)
