"""A file is kept by its hash, once, and comes out whole or not at all."""

import hashlib
from pathlib import Path

import pytest

from foundry.core.errors import DataError
from foundry.store.objects import Objects
from tests.cases import case, change

CONTENT = "保固一年".encode()
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "objects")


def test_file_is_kept_by_its_hash_and_once(objects: Objects, source: Path):
    objects.put(source, DIGEST)
    objects.put(source, DIGEST)

    assert objects.path(DIGEST).relative_to(objects.folder).as_posix() == (
        f"sha256/{DIGEST[:2]}/{DIGEST[2:]}"
    )
    assert list(objects.all()) == [DIGEST]
    assert [p for p in objects.folder.rglob("*") if p.is_file()] == [objects.path(DIGEST)]


def test_file_of_another_hash_is_not_taken(objects: Objects, source: Path):
    with pytest.raises(DataError, match=r"a\.txt: the file changed while it was copied"):
        objects.put(source, "0" * 64)

    assert not [p for p in objects.folder.rglob("*") if p.is_file()]


def test_damaged_file_is_replaced_by_a_good_one(objects: Objects, source: Path):
    objects.put(source, DIGEST)
    objects.path(DIGEST).write_bytes(b"x")
    assert objects.has(DIGEST) and not objects.is_intact(DIGEST)

    objects.put(source, DIGEST)

    assert objects.path(DIGEST).read_bytes() == CONTENT


def unread(self: Objects, digest: str, target: Path) -> None:
    target.write_bytes(self.path(digest).read_bytes() if self.has(digest) else b"")


@case("damaged object", {"nobody reads": change(Objects, "get", unread)})
@pytest.mark.parametrize("harm", ["damaged", "missing"])
def test_damaged_file_does_not_come_out(objects: Objects, source: Path, tmp_path: Path, harm: str):
    objects.put(source, DIGEST)
    objects.get(DIGEST, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == CONTENT
    if harm == "damaged":
        objects.path(DIGEST).write_bytes(b"x")
    else:
        objects.remove(DIGEST)

    with pytest.raises(DataError, match="out: missing or damaged in the registry"):
        objects.get(DIGEST, tmp_path / "out")
