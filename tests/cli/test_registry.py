"""`foundry key`, `sign`, `publish` and `registry` for a person and for a program."""

import json
import shutil
from pathlib import Path

import pytest

from foundry.store import keys
from tests.delivery.published import build
from tests.once import once
from tests.tiny_recipe import Outcome, call

SHOP = "shop@1.0.0"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "package", build) / "package"


@pytest.fixture
def here(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a package in it and keys of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv(keys.PASSPHRASE, raising=False)
    monkeypatch.delenv("FOUNDRY_REGISTRY", raising=False)
    shutil.copytree(built, tmp_path / "package")
    return tmp_path


def done(line: str, code: int = 0) -> Outcome:
    outcome = call(*line.split())
    assert outcome.code == code, outcome
    return outcome


@pytest.fixture
def published(here: Path) -> Path:
    """A package in a registry, signed by whoever has the key of the settings."""
    done("key new")
    done("sign package")
    done("publish package --name shop --version 1.0.0")
    return here


def test_new_key_tells_its_files_and_not_the_key(here: Path):
    outcome = done("key new --out shop.pem")

    secret = Path("shop.pem").read_text(encoding="ascii").splitlines()[1]
    assert secret not in outcome.out + outcome.err
    assert "shop.pem.pub" in outcome.out
    assert "fingerprint: sha256:" in outcome.out
    assert "no passphrase" in outcome.err
    assert done("key new --out shop.pem", code=3).err.startswith("shop.pem: is there already")


def test_passphrase_is_that_of_the_environment_and_is_never_shown(here: Path, monkeypatch):
    monkeypatch.setenv(keys.PASSPHRASE, "horse battery staple")

    outcome = done("key new --json")

    assert outcome.document["is_encrypted"]
    assert done("key show --json").document["fingerprint"] == outcome.document["fingerprint"]
    assert "ENCRYPTED" in keys.file().read_text(encoding="ascii")
    assert "staple" not in outcome.out + outcome.err
    monkeypatch.delenv(keys.PASSPHRASE)
    assert "needs its passphrase" in done("sign package", code=2).err


def test_passphrase_is_not_asked_of_nobody(here: Path):
    assert "nobody is here to be asked" in done("key new --passphrase", code=2).err
    assert not keys.file().exists()


def test_verify_says_by_whom_and_never_that_it_is_trusted(here: Path):
    done("key new --out shop.pem")
    done("key new --out other.pem")
    unsigned = done("verify package").out
    done("sign package --key shop.pem")

    alone, given = done("verify package").out, done("verify package --key shop.pem.pub").out
    fingerprint = done("key show shop.pem.pub --json").document["fingerprint"]

    assert "not signed: nothing says who made it" in unsigned
    assert f"signed by {fingerprint}" in alone
    assert f"signed by the key you gave ({fingerprint})" in given
    assert "trust" not in alone + given + unsigned
    assert "signed by another key" in done("verify package --key other.pem.pub", code=1).err


def test_verify_and_show_say_that_a_package_is_retired(published: Path):
    before = sorted(p.read_bytes() for p in Path("package").rglob("*.*"))
    done(f"registry retire {SHOP} --reason obsolete")

    assert "retired: obsolete" in done("verify package").out
    assert "retired: obsolete" in done("verify package --registry registry").out
    assert "retired: obsolete" in done("registry show shop@1.0.0").out
    assert done("verify package --json").document["events"][-1]["kind"] == "retired"
    assert sorted(p.read_bytes() for p in Path("package").rglob("*.*")) == before
    assert done("verify package --registry nowhere", code=3).err.startswith("nowhere: no registry")


def test_registry_of_the_environment_is_the_one_that_is_meant(published: Path, monkeypatch):
    shutil.move("registry", "elsewhere")
    assert done("verify package --json").document["events"] == []
    monkeypatch.setenv("FOUNDRY_REGISTRY", "elsewhere")

    assert done("verify package --json").document["events"][0]["kind"] == "published"
    assert "shop" in done("registry list").out


def test_list_has_a_line_for_each_version(published: Path):
    done("publish package --name shop --version 1.0.1")

    head, *lines = done("registry list").out.splitlines()

    assert head.split()[:3] == ["package", "version", "stage"]
    assert [line.split()[:3] for line in lines] == [
        ["shop", "1.0.0", "candidate"],
        ["shop", "1.0.1", "candidate"],
    ]


def test_dry_run_writes_nothing(here: Path):
    out = done("publish package --dry-run --name shop").out

    assert out == "shop@1.0.0 would be put into registry\n"
    assert not Path("registry").exists()


def test_publishing_without_a_key_writes_nothing(here: Path):
    assert "foundry key new" in done("publish package", code=3).err
    assert not Path("registry").exists()


def test_other_content_is_refused_with_1(published: Path):
    with Path("package/README.md").open("a", encoding="utf-8") as stream:
        stream.write(" ")
    assert "README.md: the file was changed" in done("publish package --name shop", code=1).err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("registry show shop@2.0.0", 3),
        ("registry promote shop production", 2),
        (f"registry promote {SHOP} live", 2),
        (f"registry retire {SHOP}", 2),
        (f"registry mark {SHOP} lost --reason x", 2),
        (f"registry get {SHOP} --out package", 3),
        ("registry check --head 00", 1),
        ("registry list --registry nowhere", 3),
        ("publish package --name a/b", 2),
    ],
)
def test_what_is_refused_ends_with_its_code_and_is_told_to_a_program(published, line, code):
    assert done(line, code).err.count("fix: ") >= 1

    assert done(f"{line} --json", code).document["exit_code"] == code


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("key show", {"algorithm", "fingerprint", "public_key"}),
        ("sign package", {"package", "fingerprint", "manifest_sha256", "signed_at", "signature"}),
        ("publish package --name shop", {"name", "version", "manifest", "is_new"}),
        ("publish package --dry-run", {"name", "version", "manifest", "dry_run"}),
        ("registry list", {"packages"}),
        ("registry show shop", {"name", "stage", "retired", "events"}),
        (f"registry promote {SHOP} staging", {"name", "version", "stage"}),
        (f"registry retire {SHOP} --reason old", {"retired"}),
        (f"registry mark {SHOP} expired-data --reason old", {"expired_data"}),
        (f"registry get {SHOP}", {"name", "folder"}),
        ("registry check --repair", {"packages", "events", "objects", "head", "signers"}),
    ],
)
def test_json_is_one_document(published: Path, line: str, keys: set[str]):
    assert keys <= done(f"{line} --json").document.keys()


def test_what_comes_out_is_what_went_in(published: Path):
    done(f"registry get {SHOP} --out out")

    for path in Path("package").rglob("*.*"):
        assert Path("out", *path.parts[1:]).read_bytes() == path.read_bytes()
    assert "signed by" in done("verify out").out


def test_words_of_others_cannot_speak_to_the_terminal(published: Path):
    done(f"registry retire {SHOP} --reason \x1b[31mred")

    assert "\x1b" not in done(f"registry show {SHOP}").out + done("verify package").out
    assert json.loads(done(f"registry show {SHOP} --json").out)["retired"] == "\x1b[31mred"
