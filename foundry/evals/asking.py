"""A column's prompts as ids: the recipe's questions in the chat template, and those brought."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from foundry.encode.tokenize import Encoder
from foundry.evals.answering import Asked, Prompting, settings
from foundry.evals.answers import Column, Item
from foundry.evals.brought import Brought
from foundry.runtime.contract import Decoding

TITLES: Mapping[str, dict[str, str]] = {
    "base": {"en": "Base model, as it is", "zh-TW": "基底模型（原樣）"},
    "base-few-shot": {"en": "Base model, shown examples", "zh-TW": "基底模型（先看範例）"},
    "tuned": {"en": "Tuned model", "zh-TW": "訓練後的模型"},
    "delivered": {"en": "Delivered GGUF file", "zh-TW": "交付的 GGUF 檔案"},
}


def asked_of(
    name: str, prompts: dict[str, list[int]], decoding: Decoding, prompting: Prompting
) -> Asked:
    """A column to fill, with how it is asked (C28)."""
    recorded = settings(list(prompts.values()), decoding, prompting)
    return Asked(name, TITLES.get(name, TITLES["delivered"]), prompts, decoding, recorded)


def titled(column: Column, file: Path) -> dict[str, str]:
    """The title of one of several delivered files, told apart by the folder of its export."""
    return {language: f"{title} ({file.parent.name})" for language, title in column.title.items()}


def in_template(encoder: Encoder, items: Sequence[Item], name: str, decoding: Decoding) -> Asked:
    """The prompts of training: the chat template up to the answer, and the answer's opening."""
    prompts = {
        i.example.id: [
            *encoder.prompt_ids(i.example.prompt, i.example.tools),
            *plain_ids(encoder, i.opening),
        ]
        for i in items
    }
    first = encoder.with_system(items[0].example.prompt)[0]
    system = first.content if first.role == "system" else None
    return asked_of(name, prompts, decoding, Prompting(encoder.template, system, encoder.bos_id))


def brought_prompts(
    brought: Sequence[Brought], encoder: Encoder, name: str, stop_ids: tuple[int, ...]
) -> list[Asked]:
    """What evaluators bring, as plain text or in the chat template.

    The system text is left out, except where rows are asked just as they were trained.
    """
    asked = []
    for one in brought:
        own = encoder if one.as_trained else replace(encoder, system=None)
        decoding = Decoding(one.max_new_tokens, stop_ids, one.stop_strings)
        if one.texts:
            prompts = {key: own.ids(text) for key, text in one.texts.items()}
            prompting = Prompting(next(iter(one.texts.values())), None, own.bos_id)
            made = asked_of(name, prompts, decoding, prompting)
        else:
            made = in_template(own, one.items, name, decoding)
        after = {
            key: [plain_ids(encoder, text) for text in texts]
            for key, texts in one.continuations.items()
        }
        asked.append(replace(made, brought_by=one.kind, continuations=after))
    return asked


def plain_ids(encoder: Encoder, text: str) -> list[int]:
    """`text` as ids in the middle of a prompt: nothing added."""
    return list(encoder.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []
