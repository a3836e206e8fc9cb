"""Where a byte-level tokenizer cuts a text before it joins bytes, by llama.cpp's names.

A GGUF file names the rule (`tokenizer.ggml.pre`), a `tokenizer.json` writes it out. A rule that
is nearly the same is another one: SmolLM2 takes each digit alone, so that "\\n\\n1." begins with
one token of two line ends, and by the rule of GPT-2 with two tokens.

Source: llama.cpp, `convert_hf_to_gguf_update.py` (names by the hash of what a model's own
tokenizer makes) and `src/llama-vocab.cpp` (the patterns of each name).
"""

from collections.abc import Mapping, Sequence
from typing import Any

_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
_WORDS = {**_BYTES, "use_regex": True}  # GPT-2's own pattern is inside


def _split(pattern: str) -> dict[str, Any]:
    regex = {"Regex": pattern}
    return {"type": "Split", "pattern": regex, "behavior": "Isolated", "invert": False}


# llama.cpp's name -> the steps of a `tokenizer.json`, in their order.
STEPS: dict[str, list[dict[str, Any]]] = {
    "gpt-2": [_WORDS],
    "smollm": [{"type": "Digits", "individual_digits": True}, _WORDS],
    "llama-bpe": [
        _split(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        _BYTES,
    ],
    "qwen2": [
        _split(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        _BYTES,
    ],
}


def definition(name: str) -> dict[str, Any] | None:
    """The `pre_tokenizer` of a `tokenizer.json` for llama.cpp's name; None for one not known."""
    steps = STEPS.get(name)
    return None if steps is None else {"type": "Sequence", "pretokenizers": steps}


def name_of(pre_tokenizer: Mapping[str, Any] | None) -> str | None:
    """llama.cpp's name of a `pre_tokenizer`; None where any step differs from each that we know."""
    if pre_tokenizer is None:
        return None
    wanted = _said(pre_tokenizer.get("pretokenizers", [pre_tokenizer]))
    return next((name for name, steps in STEPS.items() if _said(steps) == wanted), None)


def _said(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps without what changes only where a token is said to lie."""
    return [{k: v for k, v in step.items() if k != "trim_offsets"} for step in steps]
