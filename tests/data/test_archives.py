"""Archives: a good one is unpacked as it is, and nothing of a bad one stays (C77)."""

import gzip
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from foundry.core.errors import DataError
from foundry.data import archives, limits, packed
from foundry.data.archives import is_archive, unpack
from foundry.data.limits import Limits
from tests.cases import case, change
from tests.data import packing
from tests.data.packing import linked, tar_of, zip_of

GOOD = ("good.csv", b"question,answer\n")
BAD = {
    "zip: ../x": (zip_of(GOOD, ("../x", b"x")), "`../x`", "leads out of"),
    "zip: a/../../x": (zip_of(GOOD, ("a/../../x", b"x")), "`a/../../x`", "leads out of"),
    "zip: /abs": (zip_of(GOOD, ("/abs", b"x")), "`/abs`", "is absolute"),
    "zip: C:\\x": (zip_of(GOOD, ("C:\\x", b"x")), "`C:\\x`", "path of Windows"),
    "zip: C:x": (zip_of(GOOD, ("C:x", b"x")), "`C:x`", "path of Windows"),
    "zip: symlink": (linked("/etc/passwd"), "`good.csv`", "is a link"),
    "zip: device": (zip_of(GOOD, mode=stat.S_IFCHR), "`good.csv`", "neither a file nor"),
    "zip: capitals": (zip_of(GOOD, ("Good.csv", b"x")), "`Good.csv`", "capitals alone"),
    "zip: A/x a/y": (zip_of(("A/x", b"x"), ("a/y", b"y")), "`a/y`", "capitals alone"),
    "zip: twice": (zip_of(GOOD, GOOD), "`good.csv`", "used twice"),
    "zip: file is folder": (zip_of(GOOD, ("good.csv/x", b"x")), "`good.csv/x`", "used twice"),
    "zip: encrypted": (zip_of(GOOD, flags=packing.ENCRYPTED), "`good.csv`", "is encrypted"),
    "zip: escape code": (zip_of(GOOD, ("\x1b[2J/../x", b"x")), r"`\x1b[2J/../x`", "leads out of"),
    "zip: long name": (zip_of(GOOD, ("x" * 256, b"x")), "xxx`", "too long"),
    "zip: zeros": (packing.zeros_in_zip, "`6.csv`", "more than 700 times its size"),
    "zip: members": (packing.million_in_zip, "`…`", "more than 10000 members"),
    "tar: ../x": (tar_of(GOOD, ("../x", b"x")), "`../x`", "leads out of"),
    "tar: /abs": (tar_of(GOOD, ("/abs", b"x"), suffix=".tar"), "`/abs`", "is absolute"),
    "tar: C:\\x": (tar_of(GOOD, ("C:\\x", b"x"), suffix=".tgz"), "`C:\\x`", "path of Windows"),
    "tar: symlink": (tar_of(("x", "/etc"), kind=tarfile.SYMTYPE), "`x`", "is a link"),
    "tar: hard link": (tar_of(("x", "good.csv"), kind=tarfile.LNKTYPE), "`x`", "is a link"),
    "tar: device": (tar_of(("x", b""), kind=tarfile.CHRTYPE), "`x`", "neither a file nor"),
    "tar: pipe": (tar_of(("x", b""), kind=tarfile.FIFOTYPE), "`x`", "neither a file nor"),
    "tar: capitals": (tar_of(GOOD, ("GOOD.csv", b"x")), "`GOOD.csv`", "capitals alone"),
    "tar: zeros": (packing.zeros_in_tar, "`zeros.csv`", "more than 8589934592 bytes"),
    "tar: members": (packing.million_in_tar, "`folder`", "more than 10000 members"),
    "tar: header": (packing.long_header_in_tar, "damaged", "a header of 10737418240 bytes"),
}


def refused(path: Path) -> str:
    """Why an archive is refused; nothing may be left of it, in its folder or outside."""
    target = path.parent / "deep" / "er" / "out"
    with pytest.raises(DataError) as error:
        unpack(path, target)
    assert not target.exists()
    left = {p for p in path.parent.rglob("*") if p.is_file()}
    assert left == {path}
    (problem,) = error.value.problems
    assert problem.fix
    return f"{problem.where}: {problem.what}"


@pytest.mark.parametrize("name", BAD)
def test_bad_archive_is_refused_by_its_member(name, tmp_path):  # C77
    write, member, reason = BAD[name]
    path = write(tmp_path)

    said = refused(path)

    assert said.startswith(str(path))
    assert member in said
    assert reason in said


def unseen(name):
    return ""


@case("C77", {"no name is bad": change(archives, "_name_fault", unseen)})
@pytest.mark.parametrize("pack", [zip_of, tar_of], ids=["zip", "tar"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x", "leads out of"),
        ("a/../../x", "leads out of"),
        ("C:\\x", "path of Windows"),
        ("{folder}/x", "is absolute"),
    ],
)
def test_name_that_leads_out_is_refused(name, reason, pack, tmp_path):
    name = name.format(folder=tmp_path)

    said = refused(pack(GOOD, (name, b"x"))(tmp_path))

    assert f"`{name}`" in said
    assert reason in said


def as_plain_file(info):
    return archives._Member(getattr(info, "filename", None) or info.name, "file", 0)


@case(
    "C77",
    {
        "tar members are all plain files": change(archives, "_tar_member", as_plain_file),
        "zip members are all plain files": change(archives, "_zip_member", as_plain_file),
    },
)
def test_links_and_devices_are_refused(tmp_path):
    kinds = ("symlink", "hard link", "device", "pipe", "encrypted")
    for number, name in enumerate(n for n in BAD if n.endswith(kinds)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write, member, reason = BAD[name]
        said = refused(write(folder))
        assert member in said
        assert reason in said


@case(
    "C77",
    {
        "capitals count": change(archives._Gate, "_taken", lambda *_, **__: ""),
    },
)
@pytest.mark.parametrize("name", [n for n in BAD if n.endswith(("capitals", "A/x a/y"))])
def test_names_that_fall_together_are_refused(name, tmp_path):
    write, member, reason = BAD[name]

    said = refused(write(tmp_path))

    assert member in said
    assert reason in said


SMALL = Limits(members=3, size_bytes=1000, ratio=5, small_bytes=100)
OVER = {
    "members": ([(f"{n}.csv", b"") for n in range(4)], "`3.csv`", "more than 3 members"),
    "size": ([("a.csv", bytes(range(250)) * 4), ("b.csv", b"x")], "`b.csv`", "than 1000 bytes"),
    "ratio": ([("a.csv", bytes(999))], "`a.csv`", "more than 5 times its size"),
}


@case("C77", {"nothing is counted": change(archives._Gate, "_over", unseen)})
@pytest.mark.parametrize("pack", [zip_of, tar_of], ids=["zip", "tar"])
@pytest.mark.parametrize("limit", OVER)
def test_each_limit_is_held(limit, pack, tmp_path, monkeypatch):
    entries, member, reason = OVER[limit]
    monkeypatch.setattr(limits, "LIMITS", SMALL)

    said = refused(pack(*entries)(tmp_path))

    assert member in said
    assert reason in said


def test_packed_file_and_archive_are_held_to_the_same_size(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "LIMITS", Limits(size_bytes=1000))
    rows = tmp_path / "rows.csv.gz"
    rows.write_bytes(gzip.compress(b"a" * 1001))

    with pytest.raises(DataError, match="more than 1,000 bytes"):
        packed.unpack(rows, tmp_path)
    rows.unlink(), (tmp_path / "rows.csv").unlink()
    assert "more than 1000 bytes" in refused(zip_of(("a.csv", b"a" * 1001))(tmp_path))


def test_rows_that_share_a_long_text_are_read_from_an_archive_as_from_a_packed_file(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(limits, "LIMITS", Limits(small_bytes=0))
    rows = b"".join(b'{"system": "%s", "n": %d}\n' % (b"x" * 1500, n) for n in range(20_000))
    one = tmp_path / "rows.jsonl.gz"
    one.write_bytes(gzip.compress(rows, mtime=0))
    assert 200 < len(rows) / one.stat().st_size < Limits.ratio

    packed.unpack(one, tmp_path)
    archives.unpack(zip_of(("rows.jsonl", rows))(tmp_path), tmp_path / "out")

    assert (tmp_path / "out" / "rows.jsonl").read_bytes() == rows


@case("C77", {"what was unpacked stays": change(archives.atomic, "remove", unseen)})
def test_partial_extraction_is_removed(tmp_path):
    path = tar_of(GOOD, ("a/b.csv", b"x"), ("../x", b"x"))(tmp_path)

    refused(path)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz"])
def test_good_archive_is_unpacked_as_it_is(suffix, tmp_path):
    entries = [GOOD, ("./資料/問答.csv", b"x" * 3_000_000), ("資料/..b.csv", b"")]
    pack = zip_of(*entries) if suffix == ".zip" else tar_of(*entries, suffix=suffix)
    path = pack(tmp_path)

    unpack(path, tmp_path / "out")

    found = {p.relative_to(tmp_path / "out").as_posix(): p for p in (tmp_path / "out").rglob("*.*")}
    assert sorted(found) == ["good.csv", "資料/..b.csv", "資料/問答.csv"]
    assert found["資料/問答.csv"].read_bytes() == b"x" * 3_000_000
    assert is_archive(path)


def test_name_packed_on_a_taiwanese_windows_is_read(tmp_path):
    path = zip_of(("許功蓋.csv", b"x"), flags=0, encoding="cp950")(tmp_path)

    unpack(path, tmp_path / "out")

    assert [p.name for p in (tmp_path / "out").iterdir()] == ["許功蓋.csv"]


def test_member_larger_than_its_directory_says_is_damaged(tmp_path):
    path = zip_of(("a.csv", bytes(5000)))(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content.replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little")))

    assert "is damaged" in refused(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
@pytest.mark.parametrize("content", [b"", b"not an archive, but long enough" * 40, b"PK\5\6"])
def test_file_that_is_no_archive_is_refused(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)

    assert "damaged, or not what its name says" in refused(path)


def test_archive_that_is_cut_off_is_refused(tmp_path):
    path = tar_of(("a.csv", bytes(range(256)) * 100))(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])

    assert "is damaged" in refused(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_member_whose_bytes_are_damaged_is_refused(compression, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.csv", bytes(range(256)) * 100)
    with path.open("r+b") as stream:
        stream.seek(45)  # behind the header of the member, and the one of LZMA
        stream.write(b"\xff" * 40)

    assert "damaged, or not what its name says" in refused(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_damage_is_told_without_a_word_of_the_library(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"not an archive, but long enough" * 40)

    assert refused(path) == f"{path}: the archive is damaged, or not what its name says"
