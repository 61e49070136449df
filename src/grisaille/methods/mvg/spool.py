"""Features that wait on disk for the second look, so that memory does not grow with the slices."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import OutputError


@dataclass(frozen=True)
class Slot:
    """Where an array lies in a spool."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


class Spool:
    """A temporary file of arrays; gone when its ``with`` block ends."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="grisaille-")  # noqa: SIM115 - closed by __exit__
        self._end = 0

    def put(self, array: npt.NDArray[Any]) -> Slot:
        """Append ``array``.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        content = np.ascontiguousarray(array)
        try:
            self._file.seek(self._end)
            self._file.write(content.data)
        except OSError as error:
            raise OutputError(
                f"features cannot be kept in {tempfile.gettempdir()}: {error.strerror}; free space there, "
                "or name another folder in the environment variable TMPDIR"
            ) from error
        slot = Slot(self._end, content.shape, content.dtype.str)
        self._end += content.nbytes
        return slot

    def get(self, slot: Slot) -> npt.NDArray[Any]:
        """The array that ``slot`` was given for."""
        self._file.flush()
        self._file.seek(slot.offset)
        values = np.fromfile(self._file, dtype=slot.dtype, count=int(np.prod(slot.shape)))
        return values.reshape(slot.shape)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
