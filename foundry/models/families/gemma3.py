"""Gemma 3: `Gemma3ForCausalLM`, and `Gemma3ForConditionalGeneration`, which TAIDE is (C22).

Turns end with `<end_of_turn>`, which is not the EOS (C80).

The base files carry no chat template; the instruction models' own template is the one TRL ships
as `chat_templates/gemma3.jinja` (it folds a system turn into the first user turn, C19).
In GGUF the RMS-norm weights are stored plus one, because llama.cpp multiplies by the weight where
Gemma multiplies by `1 + weight` (llama.cpp, `conversion/gemma.py`, `norm_shift`).
"""

from typing import Any

MODEL_TYPES = ("gemma3_text", "gemma3")
CHAT_TEMPLATE = "gemma3"
GGUF_ARCHITECTURE = "gemma3"
GGUF_ROPE_TYPES = ("default", "linear")
NORM_OFFSET = 1.0


def to_gguf(name: str, weight: Any, config: Any) -> Any:
    """The array a GGUF file stores for the Hugging Face tensor `name`.

    Args:
        name: The Hugging Face name, for example `model.layers.0.input_layernorm.weight`.
        weight: float32 array in the Hugging Face layout.
        config: The model's configuration; not used by this family.
    """
    return weight + NORM_OFFSET if name.endswith("norm.weight") else weight


def adapter_rows(name: str, lora_b: Any, config: Any) -> Any:
    """LoRA's B for a GGUF adapter, shape (rows, rank): unchanged for this family."""
    return lora_b


def gguf_metadata(config: Any) -> dict[str, Any]:
    """The architecture's GGUF keys that differ from llama.cpp's common ones, without prefix."""
    rope = config.rope_parameters["full_attention"]
    scaling = {"rope.scaling.type": "linear", "rope.scaling.factor": float(rope.get("factor", 1))}
    return {
        "attention.key_length": config.head_dim,
        "attention.value_length": config.head_dim,
        "attention.sliding_window": config.sliding_window,
        # llama.cpp takes every sixth layer for a full one unless it is told.
        "attention.sliding_window_pattern": [k == "sliding_attention" for k in config.layer_types],
        "rope.freq_base": float(rope["rope_theta"]),
        # Of the full layers, as llama.cpp takes it; the models from 4B on have a factor of 8.
        **(scaling if rope["rope_type"] == "linear" else {}),
    }


def gguf_constants(config: Any) -> dict[str, Any]:
    """Tensors of a GGUF file that are computed from the configuration: none in this family."""
    return {}
