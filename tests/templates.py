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

# Llama's control tokens in templates that treat a system turn as some in the wild do.
_HEAD = "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
_TURN = _HEAD + "{{ m.content | trim }}<|eot_id|>{% endfor %}"
_PROMPT = (
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
_REFUSE = "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
_OTHERS = "{{ bos_token }}{% for m in messages if m.role != 'system' %}"
_LAST = (
    "{% if loop.last and messages[0].role == 'system' %}{{ messages[0].content + ' ' }}{% endif %}"
)
LLAMA_SYSTEM_TURNS = {
    "refused": "{{ bos_token }}{% for m in messages %}" + _REFUSE + _TURN + _PROMPT,
    "dropped": _OTHERS + _TURN + _PROMPT,
    "before the last question": _OTHERS + _HEAD + _LAST + _TURN.removeprefix(_HEAD) + _PROMPT,
}


def stock_template(name: str) -> str:
    """TRL's `chat_templates/<name>.jinja`, read without importing TRL."""
    spec = util.find_spec("trl")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parent / "chat_templates" / f"{name}.jinja"
    return path.read_text(encoding="utf-8")
