"""What all exported DICOM objects share: their maker, their series, their codes, and how they are saved."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grisaille.core.errors import Cancelled, GrisailleError, OutputError
from grisaille.core.safe_write import replacing
from grisaille.io.dicom.tags import DAMAGE, quiet
from grisaille.io.export.codes import Term

MANUFACTURER, MODEL = "grisaille", "napari-grisaille"
SERIAL = "none"
SERIES = {"seg": 9001, "sr": 9002, "pm": 9003, "rtstruct": 9004}
"""Series numbers of exports, above those of scanners."""


def code(term: Term) -> Any:
    """A term as highdicom has it."""
    import highdicom as hd

    return hd.sr.CodedConcept(term.value, term.scheme, term.meaning)


def save_whole(made: Any, path: str | os.PathLike[str], is_same: Callable[[Path], bool]) -> None:
    """Write an object; it takes its name only if what is read back is the same.

    Parameters
    ----------
    is_same
        Reads the file that it is given; may raise what damaged files make it raise.

    Raises
    ------
    OutputError
        If it cannot be written whole; whatever had the name stays.
    """
    with replacing(path) as temporary:
        write(made, temporary)
        try:
            with quiet():
                is_whole = is_same(temporary)
            why = None
        except (MemoryError, Cancelled):
            raise
        except (*DAMAGE, GrisailleError) as error:
            is_whole, why = False, error
        if not is_whole:
            raise OutputError(
                f"{Path(path).name} was not written whole: what was read back differs; "
                "check that the disk has room and is sound"
            ) from why


def write(made: Any, path: Path) -> None:
    """An object into a file, with an empty preamble."""
    made.preamble = b"\0" * 128
    with quiet():
        made.save_as(path, enforce_file_format=True)
