"""Which version of the program this is."""

import tomllib
from importlib import metadata

from foundry.core.shipped import PACKAGE

DISTRIBUTION = "ai-foundry"


def version() -> str:
    """The version of the installed distribution; in a bare checkout that of pyproject.toml."""
    project = PACKAGE.parent / "pyproject.toml"
    if project.is_file():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    return metadata.version(DISTRIBUTION)
