"""A registry in a folder, and packages that differ from each other."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from foundry.core import atomic
from foundry.delivery.package import build_package
from foundry.delivery.publish import Outcome, Publishing, publish
from foundry.store.registry import Registry
from foundry.store.registry_index import Published
from tests.delivery.made_run import make_run
from tests.delivery.signed import key, mend

SHOP = ("shop", "1.0.0")


def build(folder: Path) -> None:
    """Make a package, `folder/package`; for `tests.once`."""
    inputs = make_run(folder / "run")
    shutil.copytree(inputs.run.file(build_package(inputs).path), folder / "package")


def contents(folder: Path) -> int:
    """How many files with contents of their own are in a folder."""
    return len({atomic.sha256(path) for path in folder.rglob("*") if path.is_file()})


def variant(package: Path, name: str) -> Path:
    """Another package in order: its statement of changes ends with `name`."""
    folder = Path(shutil.copytree(package, package.parent / name))
    changes = folder / "CHANGES.md"
    atomic.write_text(changes, changes.read_text(encoding="utf-8") + f"\n{name}\n")
    mend(folder)
    return folder


def put(
    registry: Path, package: Path, name: str = "shop", version: str = "1.0.0", by: str = "maker"
) -> Outcome:
    """Publish a package; the publisher's key lies beside the package's folder."""
    signer = key(package.parent, by)
    return publish(Registry.made_at(registry), Publishing.of(package, name, version), signer)


def listed(registry: Path) -> Sequence[Published]:
    """What is published."""
    with Registry.at(registry).index() as index:
        return index.packages()
