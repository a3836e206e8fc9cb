"""Which arms are worth having: nothing else is as good in everything and better in something."""

from collections.abc import Mapping, Sequence

# The axes of a front and whether more is better; quality is turned so that more is.
AXES: Mapping[str, int] = {"quality": 1, "memory_bytes": -1, "size_bytes": -1, "seconds": -1}


def front(points: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """The arms that no other arm dominates, in their order.

    The means are compared as they are: whether a difference in quality is more than chance is said
    by the verdicts beside the front, not by it. An arm of which an axis is not known is neither on
    the front nor does it push another off.

    Args:
        points: By arm the value on each of `AXES`.

    Source: Pareto optimality as in Miettinen (1999), "Nonlinear Multiobjective Optimization", 2.2.
    """
    known = {
        name: [sign * value for axis, sign in AXES.items() if (value := point[axis]) is not None]
        for name, point in points.items()
    }
    whole = {name: values for name, values in known.items() if len(values) == len(AXES)}
    return [
        name
        for name, values in whole.items()
        if not any(_dominates(other, values) for other in whole.values())
    ]


def _dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    pairs = list(zip(a, b, strict=True))
    return all(x >= y for x, y in pairs) and any(x > y for x, y in pairs)
