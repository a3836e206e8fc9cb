"""A model folder's tokenizer through the `tokenizers` library alone, for looking at a few rows.

transformers brings torch with it: importing it and loading Gemma's vocabulary take five seconds of
computing, this takes one. Runs use transformers' own; a test holds the two equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.models import configuration

MOST_SHOWN = 200  # characters of the library's reason
TOKENIZER, CONFIG, TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"


@dataclass(frozen=True)
class LightTokenizer:
    """What `foundry.encode.tokenize` asks of a tokenizer."""

    backend_tokenizer: Any
    config: Mapping[str, Any]
    chat_template: str | Mapping[str, str] | None

    @cached_property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """Each added token, with its `content` and whether it is `special`, by its id."""
        return dict(self.backend_tokenizer.get_added_tokens_decoder())

    @property
    def bos_token(self) -> str | None:
        """The text of the token that begins a conversation; None where there is none."""
        return self._named("bos_token")

    @property
    def eos_token(self) -> str | None:
        """The text of the token that ends a text; None where there is none."""
        return self._named("eos_token")

    @property
    def bos_token_id(self) -> int | None:
        """The id of `bos_token`."""
        return self._id(self.bos_token)

    @property
    def eos_token_id(self) -> int | None:
        """The id of `eos_token`."""
        return self._id(self.eos_token)

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> dict[str, list[int]]:
        """`text` as ids."""
        made = self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return {"input_ids": made.ids}

    def _named(self, key: str) -> str | None:
        value = self.config.get(key)
        return value["content"] if isinstance(value, Mapping) else value

    def _id(self, token: str | None) -> int | None:
        return None if token is None else self.backend_tokenizer.token_to_id(token)


def open_light(folder: Path) -> LightTokenizer | None:
    """The tokenizer in a folder; None where only transformers can make one of what is there.

    Raises:
        ResourceError: One of its files is broken.
    """
    if not (folder / TOKENIZER).is_file() or not (folder / CONFIG).is_file():
        return None
    from tokenizers import Tokenizer

    config = configuration.read_object(folder / CONFIG)
    try:
        backend = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # the library knows no narrower one
        what = _("not a tokenizer that can be read ({error})").format(error=str(error)[:MOST_SHOWN])
        raise ResourceError(Problem(str(folder / TOKENIZER), what, _("fetch it again"))) from error
    backend.no_padding()  # a file may hold both; transformers pads and cuts only where it is asked
    backend.no_truncation()
    return LightTokenizer(backend, config, _template(folder, config))


def _template(folder: Path, config: Mapping[str, Any]) -> str | Mapping[str, str] | None:
    """The folder's chat template; several by name where an older file has them."""
    if (folder / TEMPLATE).is_file():
        return (folder / TEMPLATE).read_text(encoding="utf-8")
    found = config.get("chat_template")
    if isinstance(found, list):
        return {one["name"]: one["template"] for one in found}
    return found
