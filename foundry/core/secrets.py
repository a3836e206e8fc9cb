"""Find and hide access tokens in text that a person wrote or that we are about to write (C78)."""

import os
import re
from typing import Any

# Prefixes that vendors document for their tokens; the lower bounds keep names such as
# `hf_datasets` or `sk-learn` out. A hub token has 34 letters after `hf_`.
TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"hf_(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{8,}"
    r"|sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}"
    r"|ya29\.[A-Za-z0-9_-]{20,}|AccountKey=[A-Za-z0-9+/]{40,}"
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
    r")"
)

# Settings that hold a token; one of another form than the above is known by them alone.
SETTINGS = (
    *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "WANDB_API_KEY"),
    "FOUNDRY_KEY_PASSPHRASE",
)
SHORTEST_SECRET = 8  # a shorter value would also hide ordinary words


def find(text: str) -> list[tuple[int, int]]:
    """Line and column, from 1, of each token in `text`; never the token itself.

    So is each value of a setting that holds one.
    """
    looked_for = [TOKEN, *(re.compile(re.escape(value)) for value in _values())]
    if not any(pattern.search(text) for pattern in looked_for):
        return []
    found = {
        (number, match.start() + 1)
        for number, line in enumerate(text.split("\n"), start=1)
        for pattern in looked_for
        for match in pattern.finditer(line)
    }
    return sorted(found)


def mask(text: str) -> str:
    """`text` with each token, and each value of a setting that holds one, replaced by `***`."""
    for value in _values():
        text = text.replace(value, "***")
    return TOKEN.sub("***", text)


def _values() -> list[str]:
    values = (os.environ.get(name, "").strip() for name in SETTINGS)
    return [value for value in values if len(value) >= SHORTEST_SECRET]


def mask_all(value: Any) -> Any:
    """A JSON value with every text in it masked; tuples become lists."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: mask_all(inner) for key, inner in value.items()}
    return [mask_all(inner) for inner in value] if isinstance(value, list | tuple) else value
