"""Two volumes as one picture: one up to a plane and the other beyond it, or both mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Mixed:
    """What napari takes for an array: ``first`` and ``second``, of one shape, in shares that can be changed.

    Mixed are the values and not the colours, so that a voxel that is the same in both looks the
    same in any mixture. Only what is drawn is mixed.
    """

    def __init__(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
        self._parts = (first, second)
        self.share = 0.5
        """Of ``second``, from 0 to 1."""
        self.shape = first.shape
        self.dtype = np.result_type(first, second)
        self.ndim = first.ndim
        self.size = first.size

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        first, second = (np.asarray(part[key], dtype=np.float32) for part in self._parts)
        mixed = first + np.float32(self.share) * (second - first)
        if self.dtype.kind in "iu":
            mixed = np.rint(mixed)
        return np.asarray(mixed, dtype=self.dtype)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[()], dtype=dtype)


class Wiped:
    """What napari takes for an array: ``first`` before a cut along one axis, ``second`` from it on.

    Neither is copied: each slice is put together when it is drawn, so that a move of the cut
    costs one slice, however large the volumes are.

    Parameters
    ----------
    first, second
        Arrays of one shape and dtype.
    """

    def __init__(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
        self._parts = (first, second)
        self._axis = first.ndim - 1
        self._cut = first.shape[-1]
        self._is_swapped = False
        self.shape = first.shape
        self.dtype = np.result_type(first, second)
        self.ndim = first.ndim
        self.size = first.size

    def aim(self, axis: int, cut: int, *, second_first: bool = False) -> None:
        """Cut before index ``cut`` of ``axis``; ``second_first`` changes the sides."""
        self._axis = axis
        self._cut = min(max(cut, 0), self.shape[axis])
        if second_first is not self._is_swapped:
            self._parts = self._parts[::-1]
            self._is_swapped = second_first

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        before, beyond = self._parts
        keys = list(key) if isinstance(key, tuple) else [key]
        keys += [slice(None)] * (self.ndim - len(keys))
        along = keys[self._axis]
        if not isinstance(along, slice):
            return np.asarray((before if along < self._cut else beyond)[tuple(keys)])
        indices = range(*along.indices(self.shape[self._axis]))
        kept = sum(index < self._cut for index in indices) if indices.step > 0 else 0
        parts = []
        for part, taken in ((before, indices[:kept]), (beyond, indices[kept:])):
            keys[self._axis] = slice(taken.start, taken.stop, taken.step)
            parts.append(part[tuple(keys)])
        return np.concatenate(parts, axis=sum(isinstance(one, slice) for one in keys[: self._axis]))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[()], dtype=dtype)
