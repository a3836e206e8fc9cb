"""Gemma 4: `Gemma4ForConditionalGeneration`, `Gemma4UnifiedForConditionalGeneration` (12B), text.

Turns end with `<turn|>`, which is not the EOS, and system turns have a place of their own. The
template is the newest that TRL ships of it.
"""

MODEL_TYPES = ("gemma4", "gemma4_text", "gemma4_unified")
CHAT_TEMPLATE = "gemma4_v5"
GGUF_ARCHITECTURE = None
