"""Qwen2.5 (`Qwen2ForCausalLM`): ChatML without a BOS; turns end with `<|im_end|>`, its EOS.

A conversation without a system turn gets the sentence by which Qwen calls itself.
"""

MODEL_TYPES = ("qwen2",)
CHAT_TEMPLATE = "qwen2_5"
GGUF_ARCHITECTURE = None
