"""Granite 3 and 4: `GraniteForCausalLM`, and `GraniteMoeHybridForCausalLM` with recurrent layers.

Roles stand between control tokens, every turn ends with `<|end_of_text|>`, which is also named as
the BOS that no text begins with. On the CPU the recurrent layers let packed rows see each other
(`train/batches/packing.py`). The tokenizer must bring its template.
"""

MODEL_TYPES = ("granite", "granitemoehybrid")
CHAT_TEMPLATE = None
GGUF_ARCHITECTURE = None
