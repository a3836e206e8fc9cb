"""Qwen3.5: three of four layers are recurrent; ChatML, every last answer after `<think>`.

A multimodal folder is opened as `Qwen3_5ForCausalLM`, which transformers has for text. On the CPU
its recurrent layers let packed rows see each other (engines.md 7); `batches/packing.py` finds that.
"""

MODEL_TYPES = ("qwen3_5", "qwen3_5_text")
CHAT_TEMPLATE = "qwen3_5_nothink"
GGUF_ARCHITECTURE = None
