"""One date for templates that write today's, put into the template itself.

A model that was trained under one date and asked under another is asked something else, and no
file of it could be shown to be the live model (C37). So the date that training sees goes wherever
the template goes: runtimes that have a clock, or a `date_string` of their own (llama.cpp has both),
are not asked.
"""

import re

from foundry.encode.render_child import TODAY

ASKS = re.compile(r"\b(?:strftime_now|date_string)\s+is\s+(?P<not>not\s+)?(?P<un>un)?defined\b")
CALL = re.compile(r"""\bstrftime_now\(\s*(["'])(?P<format>[^"']*)\1\s*\)""")


def with_one_date(template: str) -> str:
    """`template` with the date of training in place of today's; it finds no clock of its own."""
    fixed = ASKS.sub(_answer, template)
    return CALL.sub(lambda call: repr(TODAY.strftime(call["format"])), fixed)


def _answer(ask: re.Match[str]) -> str:
    """Whether it is so, as Jinja writes it, of a name that nobody defines."""
    return "true" if bool(ask["not"]) != bool(ask["un"]) else "false"
