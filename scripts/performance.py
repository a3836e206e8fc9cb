"""`docs/performance.md`: a section for each benchmark, which the benchmark writes itself.

A section has a line that says what it was measured on, and a table. Rows of the table that were
measured on the same stay when others are measured anew; on anything else all are replaced.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from foundry.core import atomic
from foundry.core.environment import cores, cpu_name, installed, memory_bytes

Rows = Mapping[int, Sequence[str]]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
TITLE = "# Performance\n"


def machine(libraries: Sequence[str]) -> str:
    """What figures depend on: processor, cores, memory, and the versions of libraries."""
    memory = memory_bytes()
    found = [cpu_name(), f"{cores()} cores"]
    found += [] if memory is None else [f"{memory / 2**30:.0f} GiB of memory"]
    return ", ".join([*found, *(f"{name} {installed(name)}" for name in libraries)])


def write_section(
    page: Path, name: str, about: str, *, measured_on: str, columns: Sequence[str], rows: Rows
) -> None:
    """Put a section in the place of the one of its name, or at the end of the page.

    Args:
        page: The Markdown file; it is made if it is not there.
        name: The heading, by which the section is found again.
        about: What was measured, and how.
        measured_on: Where it was measured, on one line, from `machine`.
        columns: The heads of the table; the first is that of the size.
        rows: The other cells, by size.
    """
    _before, old, _after = _around(page, name)
    kept = _rows(old) if f"\n{measured_on}\n" in old else {}
    table = [f"| {' | '.join(cells)} |" for cells in (columns, ["--:"] * len(columns))]
    for size, cells in sorted({**kept, **rows}.items()):
        table.append(f"| {' | '.join([f'{size:,}', *cells])} |")
    put_section(page, name, "\n".join([f"{about}\n", f"{measured_on}\n", *table]))


def put_section(page: Path, name: str, body: str) -> None:
    """Put a section in the place of the one of its name, or at the end of the page."""
    before, _old, after = _around(page, name)
    section = f"<!-- {name}: generated -->\n## {name}\n\n{body}\n<!-- {name}: end -->\n"
    atomic.write_text(page, before + section + after)


def spread(values: Sequence[float]) -> Mapping[str, float] | None:
    """Median, lowest and highest; None of nothing."""
    if not values:
        return None
    return {"median": median(values), "low": min(values), "high": max(values)}


def ranged(found: Mapping[str, float], form: str) -> str:
    """A `spread` for people, each number in a format such as `.1f`."""
    return f"{found['median']:{form}} ({found['low']:{form}} to {found['high']:{form}})"


def _around(page: Path, name: str) -> tuple[str, str, str]:
    """The page before a section, the section, and the page after it."""
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- {name}: end -->\n"
    text = page.read_text(encoding="utf-8") if page.is_file() else TITLE
    before, found, rest = text.partition(begin)
    old, _end, after = rest.partition(end)
    return (before if found else before.rstrip("\n") + "\n\n"), old, after


def _rows(section: str) -> Rows:
    """The rows of the table in a section, by size."""
    lines = re.findall(r"^\| ([\d,]+) \| (.*) \|$", section, flags=re.MULTILINE)
    return {int(size.replace(",", "")): cells.split(" | ") for size, cells in lines}
