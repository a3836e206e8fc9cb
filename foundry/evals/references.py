"""Models beside the base and the tuned one, asked in the same words, each in its own chat template.

What makes a tuned model worth its training may be another model as it is: the upstream's own
instruction model, a larger one, a competitor's.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from foundry.core.records import BaseModel
from foundry.encode.tokenize import Encoder, open_encoder
from foundry.evals import subjects
from foundry.evals.answering import Asked
from foundry.evals.answers import Item
from foundry.evals.asking import brought_prompts, in_template
from foundry.evals.brought import Brought
from foundry.models.load import load_model
from foundry.runtime.contract import Decoding, Runtime

PREFIX = "reference"


@dataclass(frozen=True)
class Reference:
    """One of them, with the name of its column."""

    name: str
    base: BaseModel

    def prompts(
        self,
        items: Sequence[Item],
        brought: Sequence[Brought],
        *,
        system: str | None,
        max_new_tokens: int,
    ) -> tuple[Encoder, list[Asked]]:
        """How it is spoken to, and what it is asked: the recipe's questions, then those brought.

        Raises:
            ResourceError: It has no chat template.
        """
        encoder = open_encoder(self.base, system)
        with subjects.of_folder(self.name, self.base, encoder=encoder).speaking() as speech:
            stop_ids = speech.stop_ids
        own = in_template(encoder, items, self.name, Decoding(max_new_tokens, stop_ids))
        return encoder, [own, *brought_prompts(brought, encoder, self.name, stop_ids)]

    @contextmanager
    def opened(self, encoder: Encoder, batch_size: int) -> Iterator[Runtime]:
        """The model, loaded for as long as it is asked."""
        from foundry.runtime.transformers import TransformersRuntime

        yield TransformersRuntime(load_model(self.base), encoder.tokenizer, batch_size=batch_size)


def named(models: Sequence[BaseModel]) -> Mapping[str, Reference]:
    """Each model by the name of its column: its own, with a number where two have one."""
    found: dict[str, Reference] = {}
    for base in models:
        name = first = f"{PREFIX}-{base.name}"
        number = 2
        while name in found:
            name, number = f"{first}-{number}", number + 1
        found[name] = Reference(name, base)
    return found
