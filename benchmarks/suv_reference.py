"""SUV of the IBSI digital reference objects: each writes the same activity in another way.

    python benchmarks/suv_reference.py [FOLDER]

Asked inside the mask: SUVbw min 0.20, median 1.00, max 4.00. DRO_2_3 stores SUV by body surface in
steps of 0.01 cm2/ml, which allows 0.189, 0.985 and 3.977.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

from grisaille.core.volume import Volume
from grisaille.io.dicom import read_series, scan


@dataclass(frozen=True)
class Row:
    """One object's SUV inside its mask."""

    name: str
    least: float
    median: float
    most: float
    path: str
    warnings: tuple[str, ...]


def table(folder: Path) -> list[Row]:
    """All objects in ``folder``."""
    return [_row(one) for one in sorted(folder.iterdir()) if one.is_dir()]


def _row(folder: Path) -> Row:
    (series,) = scan(folder).series
    volume = read_series(series)
    inside = volume.voxels[_mask_on(volume, folder / "mask.nii.gz")]
    suv = volume.provenance.suv
    return Row(
        name=folder.name,
        least=float(inside.min()),
        median=float(np.median(inside)),
        most=float(inside.max()),
        path=suv.path if suv else "",
        warnings=volume.provenance.warnings,
    )


def _mask_on(volume: Volume, file: Path) -> np.ndarray:
    """The mask at the volume's voxels, by place and not by index."""
    image = nibabel.load(file)
    places = volume.grid.to_mm(np.stack(np.indices(volume.grid.shape), axis=-1))
    ras = places[..., ::-1] * (-1, -1, 1)
    from_ras = np.linalg.inv(image.affine)
    indices = np.rint(ras @ from_ras[:3, :3].T + from_ras[:3, 3]).astype(int)
    is_inside = ((indices >= 0) & (indices < image.shape)).all(axis=-1)
    indices[~is_inside] = 0
    return is_inside & (np.asarray(image.dataobj)[tuple(np.moveaxis(indices, -1, 0))] > 0)


def main() -> None:
    data = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else data / "suv_reference"
    print(f"{'object':8}  {'min':>7}  {'median':>7}  {'max':>7}  how")
    for row in table(folder):
        print(f"{row.name:8}  {row.least:7.4f}  {row.median:7.4f}  {row.most:7.4f}  {row.path}")
        for warning in row.warnings:
            print(f"{'':37}{warning}")


if __name__ == "__main__":
    main()
