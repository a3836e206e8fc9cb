"""Numbers of bytes as people say them."""

GIB = 2**30


def readable(count: float) -> str:
    """A number of bytes with a binary unit: `512 bytes`, `1.5 GiB`."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
