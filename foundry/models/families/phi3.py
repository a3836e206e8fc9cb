"""Phi-3, Phi-3.5, Phi-4-mini and Phi-4, all of the class `Phi3ForCausalLM`.

The first three end turns with `<|end|>`, Phi-4 with `<|im_end|>`; it brings its own template.
"""

MODEL_TYPES = ("phi3",)
CHAT_TEMPLATE = "phi3"
GGUF_ARCHITECTURE = None
