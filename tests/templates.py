"""The real chat templates, as TRL ships them, and what each is expected to be used with."""

from importlib import util
from pathlib import Path

TERMINATORS = {
    "gemma": "<end_of_turn>",
    "gemma3": "<end_of_turn>",
    "llama3": "<|eot_id|>",
    "llama3_1": "<|eot_id|>",
    "llama3_2": "<|eot_id|>",
    "qwen2_5": "<|im_end|>",
}
WITH_SYSTEM = [name for name in TERMINATORS if name != "gemma"]


def stock_template(name: str) -> str:
    """TRL's `chat_templates/<name>.jinja`, read without importing TRL."""
    spec = util.find_spec("trl")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parent / "chat_templates" / f"{name}.jinja"
    return path.read_text(encoding="utf-8")
