"""Two people's keys, and a package that the first has signed."""

from pathlib import Path

from foundry.delivery import sums
from foundry.delivery.signing import sign
from foundry.store import keys
from foundry.store.keys import PrivateKey


def key(folder: Path, name: str) -> PrivateKey:
    """The key of a person called `name`, made at its first use: `folder/name.pem`."""
    path = folder / f"{name}.pem"
    if not path.exists():
        keys.new(path, None)
    return keys.read_private(path, lambda: None)


def sign_as(package: Path, name: str = "maker") -> PrivateKey:
    """Sign a package with a key that lies beside its folder."""
    made = key(package.parent, name)
    sign(package, made, replace=True)
    return made


def mend(package: Path) -> None:
    """Write the list of hashes anew, as someone who means harm would."""
    sums.write(package)
