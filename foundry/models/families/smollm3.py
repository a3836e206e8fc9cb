"""SmolLM3 (`SmolLM3ForCausalLM`): ChatML with a head of metadata, no BOS.

The tokenizer must bring its template: it writes the date and how to think.
"""

MODEL_TYPES = ("smollm3",)
CHAT_TEMPLATE = None
GGUF_ARCHITECTURE = None
