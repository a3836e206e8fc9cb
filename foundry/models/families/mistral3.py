"""Ministral 3, Mistral Small 3.1 (`Mistral3ForConditionalGeneration`): `[SYSTEM_PROMPT]`, `[INST]`.

Answers end with `</s>`. The plain instruction repositories hold 8-bit weights: train the `-BF16`
ones. The tokenizer must bring its template.
"""

MODEL_TYPES = ("mistral3",)
CHAT_TEMPLATE = None
GGUF_ARCHITECTURE = None
