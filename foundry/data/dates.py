"""Dates and times as text, in one form whatever file they come from: ISO 8601 (cases.md C48).

A date is `2026-01-05`, a time `13:45:00`, both together `2026-01-05T13:45:00`; parts of a second
and the offset from UTC stand behind where there are any.
"""

from datetime import date, time

DATE_CHARACTERS = len("2026-01-05")


def iso(value: date | time, *, has_time: bool = True) -> str:
    """The text of a date, a time, or a date with time, without the time if there is none in it."""
    text = value.isoformat()
    return text if has_time else text[:DATE_CHARACTERS]
