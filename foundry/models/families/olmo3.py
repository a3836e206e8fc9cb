"""OLMo 3 (`Olmo3ForCausalLM`): ChatML; the tokenizer must bring its template."""

MODEL_TYPES = ("olmo3",)
CHAT_TEMPLATE = None
GGUF_ARCHITECTURE = None
