"""Pages of `docs/` that a script makes: compared with what is made now, or written."""

import argparse
import sys
from pathlib import Path


def keep(page: Path, made: str, script: str) -> None:
    """What a script that makes a page does: with `--write` write it, else end where it differs.

    Args:
        page: The file.
        made: What it is to hold.
        script: The script's own path.
    """
    command = f"python scripts/{Path(script).name} --write"
    parser = argparse.ArgumentParser(description=f"Compare docs/{page.name} with what it is now.")
    parser.add_argument("--write", action="store_true", help=f"write {page.name}")
    if parser.parse_args().write:
        page.write_text(made, encoding="utf-8")
    elif not page.is_file() or page.read_text(encoding="utf-8") != made:
        sys.exit(f"{page}: is not what it would be now\nfix: {command}")
