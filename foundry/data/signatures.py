"""What a file is by its first bytes, whatever its name says (cases.md C54).

A name here is a kind of source, or something that no source reads; text has no signature.
"""

import zipfile
from pathlib import Path

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data import ole2
from foundry.data.packed import DAMAGED, broken_zip

HEAD_BYTES = 512
SHOWN_BYTES = 16
MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # without members
    (b"PAR1", "parquet"),
    (b"SQLite format 3\0", "sqlite"),
    (b"%PDF-", "pdf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole2"),
    (b"ARROW1\0\0", "arrow"),
    (b"{\\rtf", "rtf"),
    (b"BZh91AY&SY", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
)
# A member that only this kind of zip file has.
ZIP_MEMBERS = (
    ("xl/workbook.xml", "spreadsheet"),
    ("xl/workbook.bin", "spreadsheet"),
    ("word/document.xml", "docx"),
    ("ppt/presentation.xml", "pptx"),
)
OPEN_DOCUMENT = {
    b"application/vnd.oasis.opendocument.spreadsheet": "spreadsheet",
    b"application/vnd.oasis.opendocument.text": "odt",
}
READ = ("parquet", "sqlite", "pdf", "spreadsheet", "docx")  # kinds of source among the names
# What else a file of the kind may look like, which its library then reads or refuses: a document
# whose parts have other names, and a PDF file with up to 1,024 bytes in front (ISO 32000-1, 7.5.2).
MAY_BE = {"docx": ("zip",), "spreadsheet": ("zip", "ole2"), "pdf": (None,)}
# A stream that only this kind of OLE2 file has.
OLE2_STREAMS = (
    ("EncryptedPackage", "locked"),
    ("WordDocument", "doc"),
    ("Workbook", "spreadsheet"),
    ("Book", "spreadsheet"),  # Excel 5.0 and 95
)


def signature(path: Path) -> str | None:
    """The name of what the file is, or None where its first bytes are no signature.

    Raises:
        DataError: It begins as a zip file and is broken.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    name = next((name for magic, name in MAGIC if head.startswith(magic)), None)
    if name == "zip":
        return _zip_kind(path)
    return _ole2_kind(path) if name == "ole2" else name


def refusal(path: Path, name: str) -> Problem:
    """Why a file with this signature is not read, and what to do with it."""
    what, fix = _why_not(name)
    return Problem(str(path), what, fix.format(path=path))


def not_text(path: Path, name: str, kind: str) -> Problem:
    """Why a file with this signature cannot be read as the text that `kind` needs."""
    if name not in READ:
        return refusal(path, name)
    what = _("the file is not text but of the kind `{found}`, and cannot be read as `{kind}`")
    fix = _("write `read: {{kind: {found}}}`, or leave `read` out")
    return Problem(str(path), what.format(found=name, kind=kind), fix.format(found=name))


def not_of_kind(path: Path, name: str | None, kind: str) -> Problem:
    """Why a file that looks like `name`, or like nothing known, is not read as the kind `kind`."""
    what = _("the file is not of the kind `{kind}`: {found}")
    if name is not None and name not in READ:
        found, fix = _why_not(name)
        return Problem(str(path), what.format(kind=kind, found=found), fix.format(path=path))
    if name is not None:
        found = _("it is of the kind `{found}`").format(found=name)
    else:
        with path.open("rb") as stream:
            head = stream.read(SHOWN_BYTES)
        begin = _("it begins with `{head}`").format(head=ascii(head)[2:-1])
        found = begin if head else _("it is empty")
    return Problem(str(path), what.format(kind=kind, found=found), _("leave `read` out"))


def _why_not(name: str) -> tuple[str, str]:
    unpack = _("unpack it and name the file inside")
    reasons = {
        "gzip": (_("the file is packed with gzip twice"), unpack),
        "zip": (_("the file is a zip archive of other files"), unpack),
        "bzip2": (_("the file is packed with bzip2"), _("unpack it: bunzip2 -k {path}")),
        "xz": (_("the file is packed with xz"), _("unpack it: unxz -k {path}")),
        "zstd": (_("the file is packed with zstd"), _("unpack it: unzstd {path}")),
        "7z": (_("the file is a 7z archive"), unpack),
        "rar": (_("the file is a RAR archive"), unpack),
        "arrow": (_("the file is an Arrow file"), _("write it as Parquet")),
        "rtf": (_("the file is an RTF document"), _("save it as .docx in Word")),
        "doc": (_("the file is a Word 97-2003 document"), _("save it as .docx in Word")),
        "odt": (_("the file is an OpenDocument text"), _("save it as .docx")),
        "pptx": (_("the file is a presentation"), _("save its text as .docx or .txt")),
        "locked": (
            _("the document is protected with a password"),
            _("open it with the password and save it without one"),
        ),
    }
    other = (_("the file is an OLE2 document of an unknown program"), _("save it as UTF-8 text"))
    return reasons.get(name, other)


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            if "mimetype" in members:
                with archive.open("mimetype") as stream:
                    return OPEN_DOCUMENT.get(stream.read(HEAD_BYTES).strip(), "zip")
    except (*DAMAGED, OSError, RuntimeError) as error:
        raise DataError(broken_zip(path)) from error
    return next((kind for member, kind in ZIP_MEMBERS if member in members), "zip")


def _ole2_kind(path: Path) -> str:
    found = ole2.names(path)
    return next((kind for name, kind in OLE2_STREAMS if name in found), "ole2")
