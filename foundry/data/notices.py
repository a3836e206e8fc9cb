"""What the codes of a manifest mean, in words: what to look at, and why a file was not read."""

from foundry.core.language import gettext as _


def sentence(code: str) -> str:
    """What a code of the manifest's `notices` means; the code itself where it has no words."""
    return {
        "placeholder": _("a placeholder that nobody filled in stands in the text"),
        "role-respelled": _("a role is known only without its spaces and capitals"),
        "number-respelled": _("a number of a tool call is written out differently"),
        "fewer-tool-results": _("fewer tool results than calls"),
        "answer-not-in-context": _("the answer does not stand in the passage"),
        "same-prompt-other-answer": _("the same prompt has another answer elsewhere"),
        "canaries": _("made-up rows were put into training to see what it learns by heart"),
    }.get(code, code)


def not_read(reason: str) -> tuple[str, str]:
    """Why a file of a folder or a pattern is not read, and what to do if it should be.

    The reason itself, without a fix, where it has no words.
    """
    alone = _("name it alone as `path` if it holds rows")
    return {
        "hidden": (_("hidden, or kept by a program for itself"), alone),
        "link-to-folder": (_("a link to a folder"), _("name the folder it leads to as `path`")),
        "not-a-file": (_("no file, or a link to none"), _("put a file in its place")),
        "unreadable": (_("may not be read"), _("allow it to be read")),
        "unknown-kind": (
            _("of a kind that cannot be told, or that is not read"),
            _("name it alone as `path` and say how to read it, `read: {kind: …}`"),
        ),
        "name-is-not-utf-8": (_("its name is not UTF-8"), _("rename it")),
        "archive-in-archive": (
            _("an archive in an archive"),
            _("unpack both, and name the folder as `path`"),
        ),
        "about-the-data": (_("tells of the data by its name"), alone),
    }.get(reason, (reason, ""))
