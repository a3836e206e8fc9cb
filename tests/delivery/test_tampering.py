"""Six ways to harm a package on its way; `verify` names the file, and what is no longer true of it.

Each is done to a real signed package and asked of `foundry verify --key`, and each check is shown
red when it is taken out. An attacker who mends `SHA256SUMS` and `package.json` too meets the
signature.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.core import atomic
from foundry.delivery import bills, claims_check, package_record, signature, sums
from foundry.delivery import verify as checks
from foundry.delivery.inside import Inside
from tests.cases import case, change
from tests.delivery.signed import key, mend, sign_as
from tests.tiny_recipe import call

GGUF, ADAPTER = "gguf-q8_0/model.gguf", "adapter/adapter_model.safetensors"
CARD = "README.md:"  # and line and column
Problems = dict[str, list[str]]


@pytest.fixture
def signed(package: Path) -> Path:
    """A package that its maker signed; the key is `maker.pem` beside it."""
    sign_as(package)
    return package


def problems(package: Path, code: int = 1) -> Problems:
    """What `foundry verify --key` says of each place."""
    outcome = call("verify", str(package), "--key", f"{package.parent}/maker.pem.pub", "--json")
    assert outcome.code == code, outcome
    said = defaultdict[str, list[str]](list)
    for problem in outcome.document["problems"]:
        said[problem["where"]].append(problem["what"])
    return said


def flip_a_byte(package: Path) -> None:
    content = bytearray((package / GGUF).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (package / GGUF).write_bytes(content)


def delete_a_notice(package: Path) -> None:
    (package / "NOTICE").unlink()


def edit_a_score(package: Path) -> None:
    """Give the tuned model on the card another score than it has."""
    path = package / "README.md"
    text = path.read_text(encoding="utf-8")
    assert "| 100.0 [71.2" in text
    path.write_text(text.replace("| 100.0 [71.2", "| 99.0 [71.2"), encoding="utf-8")


def swap_the_adapter(package: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"lora": np.zeros((8, 8), dtype=np.float32)}, package / ADAPTER)


def reorder_the_list(package: Path) -> None:
    lines = (package / sums.NAME).read_text(encoding="utf-8").splitlines(keepends=True)
    atomic.write_text(package / sums.NAME, "".join([*lines[1:], lines[0]]))


def mend_everything(package: Path) -> None:
    """Write the hashes of `package.json`, the bills and the list anew."""
    path = package / "package.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    for export in values["exports"]:
        export["files"] = {name: atomic.sha256(package / name) for name in export["files"]}
    atomic.write_json(path, values)
    inside = Inside.of(package)
    for name, made in bills.BILLS.items():
        atomic.write_json(package / name, made(inside))
    mend(package)


def test_nothing_is_said_of_the_package_as_it_was_signed(signed):
    assert problems(signed, code=0) == {}


@case("flipped byte", {"hashes": change(sums, "compare", lambda folder, hashes: [])})
def test_flipped_byte_is_named(signed):
    flip_a_byte(signed)

    (what,) = problems(signed)[GGUF]

    assert what.startswith("the file was changed: its SHA-256 is ")


@case(
    "deleted notice",
    {"duties": change(checks, "missing", lambda package, duties, model_name: [])},
)
def test_deleted_notice_is_named_with_its_licence_though_the_list_was_mended(signed):
    delete_a_notice(signed)
    assert "the file is missing, though SHA256SUMS lists it" in problems(signed)["NOTICE"]
    mend(signed)

    (what, *_more) = problems(signed)["NOTICE"]

    assert "Gemma" in what


@case(
    "edited score",
    {"claims": change(claims_check, "problems", lambda package, cards: iter(()))},
)
def test_edited_score_on_the_card_is_named_with_its_claim_though_the_list_was_mended(signed):
    edit_a_score(signed)
    assert problems(signed)["README.md"][0].startswith("the file was changed")
    mend(signed)

    said = [what for where, found in problems(signed).items() for what in found if CARD in where]

    assert any("`99.0`, its claim is `100.0`" in what for what in said), said
    assert any("(foundry/report.json: $.scores[1].mean)" in what for what in said), said


@case(
    "swapped adapter",
    {"exports": change(checks, "_export_problems", lambda export, hashes: iter(()))},
)
def test_swapped_adapter_is_named_though_the_list_was_mended(signed):
    swap_the_adapter(signed)
    mend(signed)

    (what,) = problems(signed)[ADAPTER]

    assert what == "not the file that was proven (package.json has another SHA-256)"


def any_key(
    check: Callable[..., Any],
) -> Callable[[Path, Any, dict[str, str], Any], Any]:
    """Look at a signature, not at whose it is."""
    return lambda package, record, hashes, key: check(package, record, hashes, None)


@case("foreign signature", {"keys": change(signature, "check", any_key(signature.check))})
def test_signature_of_another_key_is_named(signed):
    sign_as(signed, "stranger")

    (what,) = problems(signed)["signature.json"]

    assert what.startswith("signed by another key (sha256:")


@case(
    "copied signature",
    {"files": change(signature, "_other_files", lambda found, record, hashes: [])},
)
@pytest.mark.parametrize("name", ["another", "the same"])
def test_signature_of_another_package_is_named(signed, tmp_path, name):
    record, hashes = package_record.read(signed), sums.read(signed).hashes
    if name == "another":
        record = record.model_copy(update={"version": "0.9.0"})
    theirs = signature.make(record, {**hashes, "NOTICE": "0" * 64}, key(tmp_path, "maker"))
    atomic.write_text(signed / signature.NAME, theirs.as_text())

    (what,) = problems(signed)["signature.json"]

    assert ("the signature of another package" in what) and ("0.9.0" in what) == (name == "another")


@case("reordered list", {"order": change(sums, "_out_of_order", lambda names: iter(()))})
def test_reordered_list_is_named(signed):
    reorder_the_list(signed)

    (what,) = problems(signed)["SHA256SUMS"]

    assert what.startswith("the lines are not in the order of their names: `")


@case(
    "mended",
    {"files": change(signature, "_other_files", lambda found, record, hashes: [])},
)
@pytest.mark.parametrize(
    "tamper",
    [flip_a_byte, delete_a_notice, edit_a_score, swap_the_adapter],
    ids=lambda tamper: tamper.__name__,
)
def test_signature_finds_what_an_attacker_mended(signed, tamper):
    tamper(signed)
    mend_everything(signed)

    (what,) = problems(signed)["signature.json"]

    assert what.startswith("not these files were signed: a file and SHA256SUMS were changed")


def test_attacker_who_signs_too_meets_the_key(signed):
    swap_the_adapter(signed)
    mend_everything(signed)
    sign_as(signed, "stranger")

    assert call("verify", str(signed)).code == 0  # says by whom, and vouches for nobody
    assert list(problems(signed)) == ["signature.json"]
