"""A signature holds for these files, this package and this key, and for nothing else."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from foundry.core import atomic
from foundry.core.errors import DataError, ProofError, RecipeError
from foundry.delivery import signature, signing, sums
from foundry.delivery.verify import verify
from foundry.store.keys import PublicKey
from tests.cases import case, change
from tests.delivery.signed import key, mend, sign_as


def faults(package: Path, of: PublicKey | None = None) -> list[str]:
    """What is wrong with the signature, and with it alone."""
    with pytest.raises(ProofError) as caught:
        verify(package, key=of)
    assert {problem.where for problem in caught.value.problems} == {signature.NAME}
    return [problem.what for problem in caught.value.problems]


def edit(package: Path, **values: Any) -> None:
    path = package / signature.NAME
    old = json.loads(path.read_text(encoding="utf-8"))
    atomic.write_json(path, {**old, **values})


def test_signed_package_is_in_order_and_says_by_whom(package):
    maker = sign_as(package).public

    without, given = verify(package), verify(package, key=maker)

    assert without.signed is not None and given.signed is not None
    assert without.signed.fingerprint == maker.fingerprint
    assert (without.signed.is_expected, given.signed.is_expected) == (None, True)
    unsigned = verify(package, signed=False)
    assert (unsigned.signed, unsigned.files + 1) == (None, without.files)


def test_signature_is_not_in_the_list_and_the_list_is_what_is_signed(package):
    before = (package / sums.NAME).read_bytes()
    sign_as(package)

    assert (package / sums.NAME).read_bytes() == before
    printed = subprocess.run(["sha256sum", package / sums.NAME], capture_output=True, check=True)
    found = signature.read(package)
    assert found is not None and found.manifest_sha256 == printed.stdout.decode().split()[0]


def test_signature_is_never_taken_for_a_path(package):  # C43: base64 may begin with a slash
    found = sign_as(package).public

    assert re.fullmatch("[0-9a-f]{64}", found.text)
    assert re.fullmatch("[0-9a-f]{128}", signature.read(package).signature)


def test_time_is_that_of_the_environment(package, monkeypatch):  # SOURCE_DATE_EPOCH
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    sign_as(package)
    first = (package / signature.NAME).read_bytes()

    sign_as(package)

    assert (package / signature.NAME).read_bytes() == first
    assert json.loads(first)["signed_at"] == "2023-11-14T22:13:20Z"


def test_time_of_the_environment_that_is_none_is_refused(package, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")

    said = r"SOURCE_DATE_EPOCH: not a count of seconds since 1970 \(yesterday\)"
    with pytest.raises(RecipeError, match=said):
        sign_as(package)


@case(
    "unsigned",
    {"it will do": change(signature, "check", lambda package, record, hashes, key: (None, []))},
)
def test_unsigned_package_is_refused_where_a_key_is_given(package):
    assert verify(package).signed is None
    assert faults(package, key(package.parent, "maker").public) == ["the package is not signed"]


@case(
    "edited signature",
    {"nobody looks at the signature": change(PublicKey, "has_signed", lambda *_: True)},
)
@pytest.mark.parametrize(
    "values", [{"signed_at": "2020-01-01T00:00:00Z"}, {"signature": "0" * 128}]
)
def test_edited_statement_is_found(package, values):
    sign_as(package)
    edit(package, **values)

    (what,) = faults(package)

    assert "did not sign this" in what


@case(
    "another key named",
    {"the name will do": change(signature, "_own_faults", lambda found: [])},
)
def test_key_that_did_not_sign_cannot_be_named(package):
    sign_as(package)
    other = key(package.parent, "other").public
    edit(package, public_key=other.text, fingerprint=other.fingerprint)

    assert "did not sign this" in faults(package, other)[0]


def test_fingerprint_of_another_key_is_found(package):
    sign_as(package)
    edit(package, fingerprint=key(package.parent, "other").public.fingerprint)

    assert "the fingerprint is not that of the public key" in faults(package)[0]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[" * 100_000, b"\xff", b" " * (5 << 20)),
        b'{"schema_version": 2}',
    ],
)
def test_signature_of_another_form_is_refused(package, content):
    (package / signature.NAME).write_bytes(content)

    (what,) = faults(package)

    assert what.startswith("not a ")


def test_every_byte_of_the_signature_counts(package):
    sign_as(package)
    path = package / signature.NAME
    original = path.read_bytes()

    for at in range(0, len(original), 29):
        changed = bytearray(original)
        changed[at] ^= 1
        path.write_bytes(changed)

        assert faults(package), at
    path.write_bytes(original + b"\n")
    assert faults(package) == ["not a signature in its form"]


def test_link_in_the_place_of_a_signature_is_refused(package, tmp_path):
    sign_as(package)
    shutil.move(package / signature.NAME, tmp_path / "away.json")
    (package / signature.NAME).symlink_to(tmp_path / "away.json")

    assert "links, pipes and devices do not belong in a package" in faults(package)


def test_list_that_names_the_signature_is_refused(package):
    with (package / sums.NAME).open("a", encoding="utf-8") as stream:
        stream.write(f"{'0' * 64}  signature.json\n")

    with pytest.raises(ProofError, match=r"`signature\.json` must not stand here"):
        verify(package)


def test_package_that_is_not_in_order_is_not_signed(package):
    (package / "NOTICE").write_text("x", encoding="utf-8")

    with pytest.raises(ProofError, match="NOTICE: the file was changed"):
        sign_as(package)

    assert not (package / signature.NAME).exists()


def test_signature_of_another_is_only_replaced_when_asked(package):
    maker = sign_as(package)
    mine = key(package.parent, "other")

    with pytest.raises(DataError, match="another key has signed it") as caught:
        signing.sign(package, mine)
    assert maker.public.fingerprint in str(caught.value)
    signing.sign(package, mine, replace=True)

    assert verify(package, key=mine.public).signed
    signing.sign(package, mine)


def test_package_that_was_mended_can_be_signed_again(package):
    sign_as(package)
    changes = package / "CHANGES.md"
    atomic.write_text(changes, changes.read_text(encoding="utf-8") + "\n")
    mend(package)
    assert "not these files were signed" in faults(package)[0]

    maker = sign_as(package)

    assert verify(package, key=maker.public).signed
