"""What the records in a package say; its bills are made from them and from nothing else.

So whoever verifies a package can make each bill again, and finds the line that was changed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.delivery import package_record, sums
from foundry.delivery.json_path import step
from foundry.delivery.package_record import PackageRecord

MAX_BYTES = 1 << 30  # reports hold every answer; a package may come from anyone
MOST_TOLD = 10  # differences of one file that are told; more help nobody


@dataclass(frozen=True)
class Inside:
    """The records of a package as JSON values, and the hash of each by its name in the package."""

    record: PackageRecord
    plan: Mapping[str, Any]
    manifest: Mapping[str, Any]
    report: Mapping[str, Any]
    env: Mapping[str, Any]
    steps: Mapping[str, Any]
    evidence: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path) -> "Inside":
        """Read them.

        Raises:
            ProofError: `package.json` is not in its form.
            OSError: A record is missing.
            ValueError: A record is not JSON.
        """
        own = folder / "foundry"
        plain = [path for path in sorted(own.iterdir()) if is_plain(path)]

        def values(name: str) -> Any:
            if own / name not in plain:  # a pipe would never end
                raise OSError(f"foundry/{name}")
            return json.loads((own / name).read_text(encoding="utf-8"))

        return cls(
            record=package_record.read(folder),
            plan=values("plan.json"),
            manifest=values("manifest.json"),
            report=values("report.json"),
            env=values("env.json"),
            steps=values("steps.json"),
            evidence={path.relative_to(folder).as_posix(): atomic.sha256(path) for path in plain},
        )

    @property
    def sources(self) -> Sequence[Mapping[str, Any]]:
        """Every file of data that was read; one that was only tested on has no licence."""
        return list(self.manifest["sources"])


def is_plain(path: Path) -> bool:
    """Whether a file may be read: no link, no pipe, and not above `MAX_BYTES`."""
    return not path.is_symlink() and path.is_file() and path.stat().st_size <= MAX_BYTES


def differences(name: str, found: Any, wanted: Any) -> list[Problem]:
    """Where a JSON document says something else than the records that it is made from."""
    what = _("not what the records in the package make of it")
    places = list(_paths(found, wanted, "$"))
    return [Problem(f"{name}: {path}", what, sums.again()) for path in places[:MOST_TOLD]]


def _paths(found: Any, wanted: Any, path: str) -> Iterator[str]:
    """The JSON path of each value that differs."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            yield from _paths(found.get(key), wanted.get(key), path + step(key))
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
            yield from _paths(one, other, path + step(number))
    elif found != wanted or type(found) is not type(wanted):
        yield path
