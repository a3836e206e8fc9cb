"""`registry check` names the line, the package and the file that is not as it was written."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foundry.core import atomic
from foundry.core.errors import ProofError
from foundry.delivery import registry_check
from foundry.delivery.publish import promote, retire
from foundry.store.keys import PublicKey
from foundry.store.objects import Objects
from foundry.store.registry import Registry
from foundry.store.registry_index import Index
from foundry.store.status_log import StatusLog
from tests.cases import case, change
from tests.delivery.published import SHOP, contents, listed, put, variant
from tests.delivery.signed import key

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def filled_once(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions; the first went through two stages and was retired."""
    folder = tmp_path_factory.mktemp("filled")
    package = Path(shutil.copytree(made_once, folder / "package"))
    put(folder / "registry", package)
    put(folder / "registry", variant(package, "other"), version="1.0.1")
    registry, maker = Registry.at(folder / "registry"), key(folder, "maker")
    promote(registry, SHOP, "staging", maker)
    retire(registry, SHOP, "old", maker)
    return folder


@pytest.fixture
def filled(filled_once: Path, tmp_path: Path) -> Path:
    """A copy of that registry, to be harmed; `maker.pem` and the packages lie beside it."""
    return Path(shutil.copytree(filled_once, tmp_path / "filled")) / "registry"


def check(folder: Path, **options: Any) -> registry_check.RegistryReport:
    return registry_check.check(Registry.at(folder), **{"repair": False, **options})


def faults(folder: Path, **options: Any) -> list[str]:
    with pytest.raises(ProofError) as caught:
        check(folder, **options)
    return [f"{problem.where}: {problem.what}" for problem in caught.value.problems]


def rewrite(folder: Path, edit: Callable[[Lines], Lines | None]) -> None:
    """Change the lines of the log, in the form in which it writes them."""
    path = folder / "events.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = edit(lines) or lines
    texts = [atomic.CANONICAL.encode(line) + "\n" for line in lines]
    path.write_text("".join(texts), encoding="utf-8")


def test_untouched_registry_is_in_order(filled):
    report = check(filled)

    objects = contents(filled.parent / "package") + 2  # changes and list of the other
    assert (report.packages, report.events, report.objects, report.unused) == (2, 4, objects, 0)
    assert report.signers == (key(filled.parent, "maker").public.fingerprint,)


def unsigned(self: StatusLog, event: Any, number: int, previous: str) -> list[Any]:
    return []


def unbound(self: StatusLog, event: Any, number: int, previous: str) -> list[Any]:
    return FAULTS(self, event, event.number, event.previous)


FAULTS = StatusLog._faults


@case(
    "edited event",
    {
        "nothing is asked": change(StatusLog, "_faults", unsigned),
        "signatures are not": change(PublicKey, "has_signed", lambda *_: True),
    },
)
def test_edited_reason_is_found(filled):
    def edit(lines: Lines) -> None:
        lines[3]["details"]["reason"] = "new"

    rewrite(filled, edit)

    assert "events.jsonl:4: not signed by the key that it names: it was changed" in faults(filled)


@case("moved lines", {"lines are not bound": change(StatusLog, "_faults", unbound)})
@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda lines: [*lines[:2], lines[3]], 3),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2),
        (lambda lines: lines[1:], 1),
    ],
    ids=["taken out", "swapped", "first taken out"],
)
def test_line_in_another_place_is_found(filled, edit, line):
    rewrite(filled, edit)

    assert faults(filled)[0].startswith(
        f"events.jsonl:{line}: does not follow the line before it: lines were changed"
    )


@pytest.mark.parametrize("text", ["{}", "x", "[" * 100_000, "", '{"v": 1}'])
def test_line_of_another_form_is_named(filled, text):
    with (filled / "events.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(text + "\n")

    assert faults(filled)[0] == "events.jsonl:5: not an event in its form"


def test_line_that_a_power_cut_tore_off_is_none(filled):
    with (filled / "events.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"at":"2026')

    assert check(filled).events == 4
    promote(Registry.at(filled), ("shop", "1.0.1"), "staging", key(filled.parent, "maker"))
    assert check(filled).events == 5


def nothing(registry: Registry, events: Any) -> Iterator[Any]:
    return iter(())


@case("cut log", {"nobody remembers": change(registry_check, "_gone", nothing)})
def test_events_cut_off_the_end_are_missed_and_a_repair_does_not_hide_it(filled):
    rewrite(filled, lambda lines: lines[:3])
    said = "events.jsonl: the index has seen an event number 4 that is gone or was changed"

    assert said in faults(filled)
    assert said in faults(filled, repair=True)
    with pytest.raises(ProofError, match="events that the index has seen are gone"):
        listed(filled)


def no_head(registry: Registry, events: Any, head: Any) -> Iterator[Any]:
    return iter(())


@case("noted head", {"nobody asks": change(registry_check, "_without", no_head)})
def test_noted_event_is_missed_though_the_index_was_removed_too(filled):
    head = check(filled).head
    assert check(filled, head=head).head == head
    rewrite(filled, lambda lines: lines[:3])
    (filled / "index.sqlite").unlink()

    (said,) = faults(filled, head=head)

    assert said.startswith(f"events.jsonl: no event has the hash that you noted ({head})")


@case("stranger", {"nobody asks": change(registry_check, "_strangers", lambda events, keys: [])})
def test_event_of_a_key_that_was_not_named_is_found(filled):
    maker, stranger = key(filled.parent, "maker").public, key(filled.parent, "stranger")
    assert check(filled, keys=[maker]).events == 4
    promote(Registry.at(filled), ("shop", "1.0.1"), "production", stranger)

    (said,) = faults(filled, keys=[maker])

    assert said.startswith("events.jsonl:5: signed by a key that you did not name (sha256:")
    assert check(filled, keys=[maker, stranger.public]).events == 5


def test_log_of_another_registry_is_found(filled, tmp_path):
    put(tmp_path / "other", filled.parent / "package")
    shutil.copy(tmp_path / "other" / "registry.json", filled)

    assert faults(filled)[0].startswith("events.jsonl:1: does not follow the line before it")


@case("damaged file", {"nobody reads": change(Objects, "is_intact", lambda self, digest: True)})
@pytest.mark.parametrize("harm", ["damaged", "missing"])
def test_damaged_file_is_named_with_each_package_and_mended_by_publishing_again(filled, harm):
    (path,) = (p for p in (filled / "objects").glob("sha256/*/*") if p.read_bytes()[:4] == b"GGUF")
    if harm == "damaged":
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    else:
        path.unlink()

    assert faults(filled) == [
        f"shop@1.0.{n}: gguf-q8_0/model.gguf is missing or damaged" for n in (0, 1)
    ]
    put(filled, filled.parent / "package")
    assert check(filled).packages == 2


def test_damaged_list_of_files_is_named(filled):
    digest = listed(filled)[1].manifest
    Registry.at(filled).objects.path(digest).write_text("x", encoding="utf-8")

    assert "shop@1.0.1: SHA256SUMS is missing or damaged" in faults(filled)


@case("edited index", {"nobody compares": change(registry_check, "_index_faults", nothing)})
def test_edited_index_is_found_and_made_anew(filled):
    index = Index.opened(filled / "index.sqlite")
    index.connection.execute("UPDATE package SET document = replace(document, 'old', 'fine')")
    index.close()
    assert listed(filled)[0].retired == "fine"

    assert faults(filled) == ["index.sqlite: says something else than the events"]

    assert check(filled, repair=True).repaired
    assert listed(filled)[0].retired == "old"


@pytest.mark.parametrize("harm", ["removed", "no database", "a folder"])
def test_index_is_made_from_the_events(filled, harm):
    before = listed(filled)
    path = filled / "index.sqlite"
    path.unlink()
    if harm == "no database":
        path.write_text("no database", encoding="utf-8")
        with pytest.raises(ProofError, match="registry check --repair"):
            listed(filled)
        check(filled, repair=True)
    elif harm == "a folder":  # as where SQLite cannot write: it is made in memory
        path.mkdir()

    assert listed(filled) == before


def test_index_keeps_no_journal_that_needs_shared_memory(filled):
    index = Index.opened(filled / "index.sqlite")
    ((mode,),) = index.connection.execute("PRAGMA journal_mode").fetchall()
    index.close()

    assert mode == "delete"
    assert not list(filled.glob("*-wal")) + list(filled.glob("*-shm"))
