"""Apertus (`ApertusForCausalLM`): a control token before and after each turn.

Answers end with `<|assistant_end|>`. The tokenizer must bring its template.
"""

MODEL_TYPES = ("apertus",)
CHAT_TEMPLATE = None
GGUF_ARCHITECTURE = None
