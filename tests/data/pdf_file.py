"""Small PDF files: pages of lines of text in a font without glyphs, and pages with a picture."""

from collections.abc import Sequence

TO_UNICODE = """\
/CIDInit /ProcSet findresource begin begincmap /CMapName /U def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
1 beginbfrange <0000> <FFFF> <0000> endbfrange
endcmap end"""
FONT = (
    "<</Type/Font/Subtype/Type0/BaseFont/F/Encoding/Identity-H/DescendantFonts[4 0 R]"
    "/ToUnicode 5 0 R>>"
)
DESCENDANT = (
    "<</Type/Font/Subtype/CIDFontType2/BaseFont/F/CIDSystemInfo<</Registry(A)/Ordering(B)"
    "/Supplement 0>>/DW 1000/FontDescriptor 6 0 R>>"
)
DESCRIPTOR = (
    "<</Type/FontDescriptor/FontName/F/Flags 4/FontBBox[0 0 1000 1000]/ItalicAngle 0/Ascent 800"
    "/Descent -200/CapHeight 700/StemV 80>>"
)
PICTURE = "q 100 0 0 100 72 600 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q"


def pdf(*pages: Sequence[str] | str | None, trailer: str = "") -> bytes:
    """A PDF file: lines of text for a page, a drawing for another, None for an empty one."""
    kids = [f"{7 + 2 * n} 0 R" for n in range(len(pages))]
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{' '.join(kids)}]>>",
        FONT,
        DESCENDANT,
        _stream(TO_UNICODE),
        DESCRIPTOR,
    ]
    for n, page in enumerate(pages):
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents {8 + 2 * n} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>"
        )
        drawing = page if isinstance(page, str) else "\n".join(_lines(page or ()))
        objects.append(_stream(drawing))
    content = "%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    start, size = len(content), len(objects) + 1
    content += f"xref\n0 {size}\n0000000000 65535 f \n{table}"
    content += f"trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n"
    return content.encode("latin-1")


def _stream(body: str) -> str:
    return f"<</Length {len(body)}>>\nstream\n{body}\nendstream"


def _lines(lines: Sequence[str]) -> list[str]:
    return [
        f"BT /F 12 Tf 72 {700 - 20 * n} Td <{line.encode('utf-16-be').hex()}> Tj ET"
        for n, line in enumerate(lines)
    ]
