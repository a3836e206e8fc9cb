"""gpt-oss (`GptOssForCausalLM`): Harmony channels; the last answer ends with `<|return|>`.

Earlier answers end with `<|end|>`. Its attention has no kernel that keeps packed rows apart
(engines.md 7); `batches/packing.py` finds that. The experts, three matrices in one tensor each, get
no LoRA update.
"""

MODEL_TYPES = ("gpt_oss",)
CHAT_TEMPLATE = "gptoss"
GGUF_ARCHITECTURE = None
