"""OLMo 2 (`Olmo2ForCausalLM`): roles are plain text, answers end with the EOS `<|endoftext|>`."""

MODEL_TYPES = ("olmo2",)
CHAT_TEMPLATE = None
GGUF_ARCHITECTURE = None
