"""The data card: what the model learned from and was tested on, as `data_card.md`.

It counts and names; no row is quoted on it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from foundry.delivery.card import LANGUAGES, learned, template
from foundry.delivery.claims import UNKNOWN, Found, Writer, by, plain

NAME = "data_card.md"


def data_card(sources: Mapping[str, Found], writer: Writer) -> str:
    """The text of the data card, with the marks of `claims.py`.

    Args:
        sources: The package's JSON files by their short names, as `documents.py` has them.
        writer: Keeps account of the numbers.
    """
    values = _values(sources)
    return "\n".join(writer.render(template("data_card", name), values) for name in LANGUAGES)


def _values(sources: Mapping[str, Found]) -> dict[str, Any]:
    manifest = sources["manifest"]
    return {
        **sources,
        "files": [_file(source) for source in manifest["sources"]],
        "declared": [_declared(source) for source in learned(manifest)],
        "removed": _counts(manifest["refused_by_code"]),
        "noticed": _counts(_part(manifest, "notices")),
        "skipped": _part(manifest, "skipped") or [],
        "planted": _part(manifest, "planted"),
        "mixture": _part(manifest, "mixture"),
        "overlaps": list(_overlaps(manifest)),
    }


def _part(manifest: Found, key: str) -> Found | None:
    return manifest[key] if plain(manifest).get(key) else None


def _counts(found: Found | None) -> list[tuple[str, Found]]:
    """Each code with its count; codes are our own and have no digits."""
    return [] if found is None else [(key, found[key]) for key in plain(found)]


def _file(source: Found) -> dict[str, Any]:
    """A row of the table of files."""
    keys = ("path", "kind", "encoding", "size_bytes", "rows", "used", "blank", "sha256")
    known = plain(source)
    row = {key: source[key] if key in known else None for key in keys}
    refused = _part(source, "refused")
    said = {key: UNKNOWN if found is None else by(found, "one line") for key, found in row.items()}
    return {
        **said,
        "refused": UNKNOWN if refused is None else by(refused, "keys and values"),
        "is_for_testing": not source["licence"],
    }


def _declared(source: Found) -> dict[str, Any]:
    """A source's licence and everything that was declared of it."""
    declaration = source["declaration"]
    said = [(k, by(declaration[k], "one line")) for k in plain(declaration) if declaration[k]]
    return {"path": by(source["path"], "one line"), "licence": source["licence"], "said": said}


def _overlaps(manifest: Found) -> Iterator[tuple[Found, Found]]:
    """The parts that share rows with training, and what was found and done."""
    for part in manifest["parts"]:
        name = str(part["name"])
        if plain(manifest["overlap"]).get(name):
            yield part["name"], by(manifest["overlap"][name], "keys and values")
