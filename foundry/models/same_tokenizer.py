"""Whether two models read and write the same tokens, so that their distributions can be compared.

Two tokenizers are the same if they know the same tokens by the same ids and cut a few texts alike;
what the models are called, and how far their embeddings are filled up, does not count.
"""

from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.models.light_tokenizer import TOKENIZER, open_light
from foundry.models.probes import TEXTS
from foundry.models.tokenizer import load_tokenizer


def difference(one: BaseModel, other: BaseModel) -> str | None:
    """What keeps two models' tokenizers from being the same; None where they are."""
    files = [Path(base.folder) / TOKENIZER for base in (one, other)]
    if all(path.is_file() for path in files):
        first, second = map(atomic.sha256, files)
        if first == second:
            return None
    mine, theirs = _backend(one), _backend(other)
    known, wanted = mine.get_vocab(), theirs.get_vocab()
    if known != wanted:
        apart = sorted(token for token in known | wanted if known.get(token) != wanted.get(token))
        what = _("{count} tokens have other ids or are only in one ({token} is one)")
        return what.format(count=len(apart), token=repr(apart[0]))
    for text in TEXTS:
        ids = [each.encode(text, add_special_tokens=False).ids for each in (mine, theirs)]
        if ids[0] != ids[1]:
            return _("{text} becomes other tokens").format(text=repr(text))
    return None


def _backend(base: BaseModel) -> Any:
    light = open_light(Path(base.folder))
    return (light or load_tokenizer(base)).backend_tokenizer
