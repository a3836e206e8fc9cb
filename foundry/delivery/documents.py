"""The cards of a package, and `claims.json`: where every number on them is from."""

import json
from collections.abc import Mapping

from foundry.delivery import act_sheet, claims, data_card
from foundry.delivery.card import card
from foundry.delivery.claims import Found, Writer
from foundry.policy.duties import CARD, RECORD

# What the cards may draw on: short name -> JSON file of the package.
SOURCES = {
    "record": RECORD,
    "plan": "foundry/plan.json",
    "manifest": "foundry/manifest.json",
    "mask": "foundry/mask_report.json",
    "train": "foundry/train.json",
    "report": "foundry/report.json",
    "licence": "foundry/licence.json",
    "energy": "foundry/energy.json",
    "parity": "foundry/parity.json",
    "act": "foundry/ai_basic_act.json",
}

# The files whose every number has evidence.
CARDS = (CARD, data_card.NAME, act_sheet.NAME)


def documents(texts: Mapping[str, str], *, quantized_base: bool) -> dict[str, str]:
    """Cards and claims by file name.

    Args:
        texts: The package's other texts by name, as they will stand in it.
        quantized_base: Whether the base's weights were read from a quantised file.

    Raises:
        ProofError: A card shows a number that is from no file of the package.
    """
    sources = {short: Found(name, json.loads(texts[name])) for short, name in SOURCES.items()}
    writers = {name: Writer(name) for name in CARDS}
    marked = {
        CARD: card(sources, writers[CARD], quantized_base=quantized_base),
        data_card.NAME: data_card.data_card(sources, writers[data_card.NAME]),
        act_sheet.NAME: act_sheet.act_sheet(sources, writers[act_sheet.NAME]),
    }
    settled = {name: writers[name].settle(text) for name, text in marked.items()}
    told = {
        "schema_version": claims.SCHEMA_VERSION,
        "cards": [
            {"file": name, "lines": text.count("\n") + 1}
            for name, (text, _claims, _wording) in settled.items()
        ],
        "claims": [one.as_dict() for _text, made, _words in settled.values() for one in made],
        "wording": [one.as_dict() for _text, _made, words in settled.values() for one in words],
    }
    made = {name: text for name, (text, _claims, _wording) in settled.items()}
    return {**made, claims.NAME: json.dumps(told, ensure_ascii=False, indent=1) + "\n"}
