"""What is published is whole, never changes, and comes out as it went in."""

import multiprocessing
import os
import shutil
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from foundry.core import atomic
from foundry.core.errors import DataError, LicenceError, ProofError, RecipeError, ResourceError
from foundry.delivery import publish as publishing
from foundry.delivery import registry_check, sums
from foundry.delivery.publish import Publishing, get, mark, promote, publish, retire, status
from foundry.delivery.verify import VerifyReport, verify
from foundry.store import registry as registries
from foundry.store.keys import PrivateKey
from foundry.store.registry import Registry
from foundry.store.registry_index import Index
from foundry.store.status_log import StatusLog
from tests.cases import case, change
from tests.delivery.published import SHOP, contents, listed, put, variant
from tests.delivery.signed import key, sign_as

PUBLISHERS = 10
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a registry is to be."""
    return tmp_path / "registry"


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def check(folder: Path, **options: Any) -> registry_check.RegistryReport:
    return registry_check.check(Registry.at(folder), **{"repair": False, **options})


def test_what_was_published_comes_out_byte_by_byte(folder, package):
    sign_as(package)
    found = put(folder, package).published
    before = bytes_of(package)
    shutil.rmtree(package)

    get(Registry.at(folder), found, package, even_retired=False)

    assert bytes_of(package) == before
    assert (found.name, found.version, found.stage) == (*SHOP, "candidate")
    assert found.files == len([path for path in package.rglob("*") if path.is_file()])


def test_own_name_and_version_are_those_of_the_package(folder, package):
    assert Publishing.of(package, None, None).subject.name == "retail-customer-service"
    assert Publishing.of(package, None, None).subject.version == "1.0.0"


def unchecked(package: Path, *, key: Any = None, signed: bool = True) -> VerifyReport:
    """Look at no hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "compare", lambda folder, hashes: [])
        return verify(package, key=key, signed=signed)


@case("unproven", {"nobody verifies": change(publishing, "verify", unchecked)})
def test_package_that_is_not_in_order_is_not_published(folder, package):
    (package / "README.md").write_text("x", encoding="utf-8")

    with pytest.raises(ProofError, match=r"README\.md: the file was changed"):
        put(folder, package)

    assert listed(folder) == []


@case(
    "other content",
    {"nobody compares": change(publishing, "_refuse_other", lambda before, manifest: None)},
)
def test_same_name_and_version_with_other_content_is_refused(folder, package):
    put(folder, package)
    before = bytes_of(folder)

    with pytest.raises(DataError, match=r"shop@1\.0\.0: is there with other content"):
        put(folder, variant(package, "other"))

    assert bytes_of(folder).keys() == before.keys()
    assert put(folder, variant(package, "third"), version="1.0.1").is_new


def test_same_content_again_does_nothing(folder, package):
    first = put(folder, package)
    events = (folder / "events.jsonl").read_bytes()

    again = put(folder, package, by="somebody else")

    assert (first.is_new, again.is_new) == (True, False)
    assert again.published == first.published
    assert (folder / "events.jsonl").read_bytes() == events


def test_two_packages_share_the_files_that_are_the_same(folder, package):
    put(folder, package)
    put(folder, variant(package, "other"), version="1.0.1")

    assert check(folder).objects == contents(package) + 2  # the changes and the list


@pytest.mark.parametrize("word", ["", "../x", "a b", "a@b", "-x", "x" * 65, "店"])
def test_name_and_version_are_words(package, word):
    with pytest.raises(RecipeError, match="--version: `") as caught:
        Publishing.of(package, "a/b", word or "@")

    assert [problem.where for problem in caught.value.problems] == ["--name", "--version"]


def test_name_that_a_licence_does_not_allow_is_refused(package, monkeypatch):
    """Of Llama's licence, whose models bear its name at the front."""
    from foundry.delivery.package_record import PackageRecord
    from foundry.policy.licence import find
    from foundry.policy.use import Bound

    bound = lambda record: [Bound("base", find("llama-3.1"), "base", None, None)]  # noqa: E731
    monkeypatch.setattr(PackageRecord, "bound", bound)
    record = publishing.package_record.read(package).model_copy(update={"name": "Llama-shop"})

    publishing._check_name(record, "Llama-other")
    with pytest.raises(LicenceError, match="--name: ") as caught:
        publishing._check_name(record, "shop")

    assert len(caught.value.problems) == 1


def test_folder_with_other_things_is_no_registry(folder, package):
    folder.mkdir()
    (folder / "mine.txt").write_text("x", encoding="utf-8")

    with pytest.raises(DataError, match="holds other things and is no registry"):
        put(folder, package)

    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    with pytest.raises(ResourceError, match="no registry here"):
        Registry.at(folder)


def test_stages_and_retirement(folder, package):
    put(folder, package)
    registry, signer = Registry.at(folder), key(package.parent, "maker")

    assert promote(registry, SHOP, "production", signer).stage == "production"
    assert promote(registry, SHOP, "production", signer).stage == "production"
    with pytest.raises(RecipeError, match="no such stage: live") as caught:
        promote(registry, SHOP, "live", signer)
    assert "candidate, staging, production" in str(caught.value)
    assert retire(registry, SHOP, "過時", signer).retired == "過時"
    for again in (
        lambda: retire(registry, SHOP, "again", signer),
        lambda: promote(registry, SHOP, "staging", signer),
        lambda: get(registry, registry.find(*SHOP), folder / "out", even_retired=False),
    ):
        with pytest.raises(DataError, match=r"shop@1\.0\.0: is retired: 過時"):
            again()

    kinds = [event["kind"] for event in status(registry, package)]
    assert kinds == ["published", "promoted", "retired"]
    assert bytes_of(package).keys() == bytes_of(package).keys() - {"events.jsonl"}
    assert get(registry, registry.find(*SHOP), package.parent / "out", even_retired=True).files


@pytest.mark.parametrize("kind", ["erased-subject", "expired-data"])
def test_what_came_to_light_of_its_data_stands_beside_it(folder, package, kind):
    put(folder, package)
    before = listed(folder)[0]

    found = mark(Registry.at(folder), SHOP, kind, "request 12", key(package.parent, "maker"))

    assert {found.erased_subject, found.expired_data} == {"request 12", None}
    assert found.manifest == before.manifest
    assert status(Registry.at(folder), package)[-1]["details"] == {"reason": "request 12"}


@pytest.mark.parametrize("reason", [" ", "old\nin use"])
def test_reason_is_a_line_that_says_something(folder, package, reason):
    put(folder, package)

    with pytest.raises(RecipeError, match="--reason: is empty, or more than a line"):
        retire(Registry.at(folder), SHOP, reason, key(package.parent, "maker"))


def test_newest_that_is_not_retired_is_meant_where_no_version_is_given(folder, package):
    put(folder, package)
    put(folder, variant(package, "other"), version="1.0.1")
    registry = Registry.at(folder)

    assert registry.find("shop", None).version == "1.0.1"
    retire(registry, ("shop", "1.0.1"), "broken", key(package.parent, "maker"))
    assert registry.find("shop", None).version == "1.0.0"
    with pytest.raises(ResourceError, match=r"use one of: shop@1\.0\.0, shop@1\.0\.1"):
        registry.find("shop", "2.0.0")
    with pytest.raises(ResourceError, match=r"use one of: shop$"):
        registry.find("shap", None)


def test_folder_that_is_there_is_not_overwritten(folder, package, tmp_path):
    found = put(folder, package).published

    with pytest.raises(ResourceError, match="is there already"):
        get(Registry.at(folder), found, package, even_retired=False)


def slowly(self: StatusLog, kind: Any, subject: Any, details: Any, key: Any, after: Any) -> Any:
    time.sleep(0.1)
    return APPEND(self, kind, subject, details, key, after)


APPEND = StatusLog.append


def unlocked(patch: pytest.MonkeyPatch) -> None:
    """Nobody waits for anybody, and what they would wait for takes a while."""
    patch.setattr(registries, "locked", lambda folder: nullcontext())
    patch.setattr(StatusLog, "append", slowly)


@case("ten publishers", {"no lock": unlocked})
def test_ten_publishers_at_once_lose_nothing_and_break_nothing(folder, package):
    """Each has a version of its own, and all want one more, five with other content."""
    packages = [package, variant(package, "other")]
    signer, start = key(package.parent, "maker"), FORK.Barrier(PUBLISHERS)

    def run(number: int) -> None:
        mine = packages[number % 2]
        start.wait(60)
        for name, version in (("shop", f"1.0.{number}"), ("contested", "1.0.0")):
            try:
                publish(Registry.made_at(folder), Publishing.of(mine, name, version), signer)
            except DataError as error:
                os._exit(7 if "is there with other content" in str(error) else 1)

    workers = [FORK.Process(target=run, args=(number,)) for number in range(PUBLISHERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)

    assert sorted(worker.exitcode for worker in workers) == [0] * 5 + [7] * 5
    found = {(one.name, one.version): one.manifest for one in listed(folder)}
    assert len(found) == PUBLISHERS + 1
    contents = [Publishing.of(one, None, None).subject.manifest for one in packages]
    assert {number: found["shop", f"1.0.{number}"] for number in range(PUBLISHERS)} == {
        number: contents[number % 2] for number in range(PUBLISHERS)
    }
    assert found["contested", "1.0.0"] in contents
    assert check(folder).events == PUBLISHERS + 1
    assert check(folder).unused == 0


def killed_at(place: str, folder: Path, package: Path) -> None:
    """Publish in a process that is killed at a fault point, or before the index is written."""
    signer, what = key(package.parent, "maker"), Publishing.of(package, *SHOP)

    def run() -> None:
        if place == "index":
            Index.add = lambda self, events: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore
        else:
            os.environ["FOUNDRY_FAULT"] = place
        publishing.publish(Registry.made_at(folder), what, signer)

    process = FORK.Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    "place",
    ["file-rename", "part-rename:1", "part-rename:20", "line-write", "line-half", "index"],
)
def test_publisher_that_is_killed_leaves_all_or_nothing(folder, package, place):
    killed_at(place, folder, package)

    there = list(listed(folder)) if (folder / "registry.json").exists() else []
    assert len(there) == (1 if place == "index" else 0)

    assert put(folder, package).is_new == (place != "index")
    assert [one.name for one in listed(folder)] == ["shop"]
    assert check(folder, repair=True).unused == 0
    assert check(folder).objects == contents(package)


def event_first(registry: Registry, what: Publishing, key: PrivateKey) -> Any:
    """Say that it is there, and copy it then."""
    registry.add("published", what.subject, what.details, key, check=lambda before: True)
    return publish(registry, what, key)


@case(
    "killed publisher",
    {"the event is written first": change(publishing, "publish", event_first)},
)
def test_package_that_is_half_copied_is_not_listed(folder, package):
    killed_at("part-rename:12", folder, package)

    assert listed(folder) == []


def test_repair_removes_what_a_killed_publisher_left(folder, package):
    killed_at("line-write", folder, package)
    assert check(folder).unused == contents(package)

    check(folder, repair=True)

    assert list(Registry.at(folder).objects.all()) == []


def test_publisher_puts_back_what_a_repair_took_meanwhile(folder, package, monkeypatch):
    registry, what = Registry.made_at(folder), Publishing.of(package, *SHOP)
    add = Registry.add

    def after_a_repair(self, *arguments, **options):
        check(folder, repair=True)
        return add(self, *arguments, **options)

    monkeypatch.setattr(Registry, "add", after_a_repair)
    publish(registry, what, key(package.parent, "maker"))

    assert check(folder).objects == contents(package)


def test_file_that_changes_while_it_is_copied_is_not_taken(folder, package):
    what = Publishing.of(package, *SHOP)
    atomic.write_text(package / "NOTICE", "x")

    with pytest.raises(DataError, match="NOTICE: the file changed while it was copied"):
        publish(Registry.made_at(folder), what, key(package.parent, "maker"))

    assert listed(folder) == []
