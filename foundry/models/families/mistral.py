"""Mistral (`MistralForCausalLM`) and the Ministral of 2024 (`MinistralForCausalLM`): `[INST]`.

Answers end with `</s>`. The templates of the versions differ in blanks, so the tokenizer must bring
its own.
"""

MODEL_TYPES = ("mistral", "ministral")
CHAT_TEMPLATE = None
GGUF_ARCHITECTURE = None
