"""Qwen3 (`Qwen3ForCausalLM`): ChatML without a BOS, with `<think>` before the last answer only.

The 2507 instruction models bring a template without thinking in their tokenizer.
"""

MODEL_TYPES = ("qwen3",)
CHAT_TEMPLATE = "qwen3"
GGUF_ARCHITECTURE = None
