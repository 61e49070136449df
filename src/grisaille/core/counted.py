"""How many of a thing, in words."""

from __future__ import annotations


def counted(count: int, thing: str) -> str:
    """The number and the thing, whose plural ends in s.

    >>> counted(1, "slice"), counted(3, "slice")
    ('1 slice', '3 slices')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"
