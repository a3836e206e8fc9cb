"""Apertus: `ApertusForCausalLM`, and for 1.5 `Apertus1p5ForConditionalGeneration`.

A control token stands before and after each turn; answers end with `<|assistant_end|>`. The
tokenizer must bring its template.
"""

MODEL_TYPES = ("apertus", "apertus1p5")
CHAT_TEMPLATE = None
GGUF_ARCHITECTURE = None
