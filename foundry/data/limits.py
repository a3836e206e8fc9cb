"""How much what is packed may unpack to: one set for a file, a document and an archive."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, ratios of size unpacked to size packed; ours, by judgement.

    Measured with gzip -9: data files that people use 2 to 5, short rows that share a system text
    of 700 bytes 137, 20,000 rows that share one of 1,500 characters 354, the same row 300,000
    times 411, zeros 1,029. Deflate ends at 1,032 (zlib's technical notes, "Maximum Compression
    Factor"), which is what a bomb comes near to.
    """

    size_bytes: int = 8 << 30
    """All that a file or an archive unpacks to: 15 times the text of a set of 2 million rows."""
    document_bytes: int = 2 << 30
    """All parts of a document: the largest sheet that Excel opens is about half of it."""
    small_bytes: int = 64 << 20
    """Below it no ratio does harm."""
    ratio: int = 700
    """Of a packed file, a document or a whole archive: the same rows are read from any of them."""
    members: int = 10_000
    """Of an archive; the manifest names each file, which bounds their number."""


LIMITS = Limits()
