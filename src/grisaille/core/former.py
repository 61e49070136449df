"""What an anomaly map was before a part of it was changed, kept as small as the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy.typing as npt

from grisaille.core.anomaly import AnomalyMap, SliceScores
from grisaille.core.arrays import box_of
from grisaille.core.errors import InputError
from grisaille.core.study import Study

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Former:
    """Enough to bring a map back, bit for bit.

    Parameters
    ----------
    slice_scores
        Those of the former map.
    patches
        By what was changed, the smallest box that holds every changed voxel, and what was in it.
    """

    slice_scores: SliceScores
    patches: Mapping[str, tuple[tuple[slice, ...], Array]]

    @classmethod
    def of(cls, before: AnomalyMap, after: AnomalyMap) -> Self:
        """What ``after`` must be given back to become ``before``.

        Raises
        ------
        InputError
            If they do not hold the same volumes.
        """
        new = dict(_arrays(after))
        patches: dict[str, tuple[tuple[slice, ...], Array]] = {}
        old = dict(_arrays(before))
        if {name: array.shape for name, array in old.items()} != {name: array.shape for name, array in new.items()}:
            raise InputError("the two anomaly maps hold different volumes, so one is no change of the other")
        for name, array in old.items():
            box = None if array is new[name] else box_of(array != new[name])
            if box is not None:
                patches[name] = (box, array[box].copy())
        return cls(before.slice_scores, patches)

    def restored(self, after: AnomalyMap) -> AnomalyMap:
        """The former map."""
        extras = {key: one.with_voxels(self._put(f"extras {key}", one.voxels)) for key, one in after.extras.items()}
        healthy = after.healthy
        if healthy is not None:
            volumes = {
                key: one.with_voxels(self._put(f"healthy {key}", one.voxels)) for key, one in healthy.volumes.items()
            }
            healthy = Study(volumes, healthy.patient)
        scores = self._put("scores", after.scores)
        return replace(after, scores=scores, slice_scores=self.slice_scores, extras=extras, healthy=healthy)

    def _put(self, name: str, array: Array) -> Array:
        if name not in self.patches:
            return array
        box, values = self.patches[name]
        restored = array.copy()
        restored[box] = values
        return restored


def _arrays(anomaly: AnomalyMap) -> Iterator[tuple[str, Array]]:
    yield "scores", anomaly.scores
    for key, volume in anomaly.extras.items():
        yield f"extras {key}", volume.voxels
    for key, volume in (anomaly.healthy.volumes if anomaly.healthy is not None else {}).items():
        yield f"healthy {key}", volume.voxels
