"""SUV of the IBSI digital reference objects: each writes the same activity in another way.

    python benchmarks/suv_reference.py [FOLDER]

Asked inside the mask: SUVbw min 0.20, median 1.00, max 4.00, to half a stored unit, which is as far
as an object can say it. Three objects were stored cut off instead of rounded, so that they say up to
a whole unit less (DRO_2_3: 4.00 is 105.6 units, stored as 105); they are shown as such. Eleven objects
are read as they were published; the other six of the 17 are written anew from DRO_0_0
(``oracles/suv_objects.py``). Ends with 1 if one is neither.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

from grisaille.core.volume import Volume
from grisaille.io.dicom.series import read_series, scan

WANTED = (0.20, 1.00, 4.00)


@dataclass(frozen=True)
class Row:
    """One object's SUV inside its mask; ``unit`` is the largest step that its files can say."""

    name: str
    least: float
    median: float
    most: float
    unit: float
    path: str
    warnings: tuple[str, ...]

    @property
    def off(self) -> tuple[float, ...]:
        """What was found less what is asked for."""
        return tuple(one - wanted for one, wanted in zip((self.least, self.median, self.most), WANTED, strict=True))

    @property
    def verdict(self) -> str:
        """``right`` within half a stored unit, ``cut off`` if up to a whole unit below, else ``WRONG``."""
        rounding = 4 * np.finfo(np.float32).eps * WANTED[-1]
        if max(map(abs, self.off)) <= self.unit / 2 + rounding:
            return "right"
        return "cut off" if all(-self.unit - rounding < off <= rounding for off in self.off) else "WRONG"


def table(folder: Path) -> list[Row]:
    """All objects in ``folder``."""
    return [_row(one) for one in sorted(folder.iterdir()) if one.is_dir()]


def _row(folder: Path) -> Row:
    (series,) = scan(folder).series
    volume = read_series(series)
    inside = volume.voxels[_mask_on(volume, folder / "mask.nii.gz")]
    suv = volume.provenance.suv
    factor = suv.factor_range[1] if suv and suv.factor_range else float("nan")
    return Row(
        name=folder.name,
        least=float(inside.min()),
        median=float(np.median(inside)),
        most=float(inside.max()),
        unit=factor * max(header.slope or float("nan") for header in series.slices),
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


def main() -> int:
    from oracles.suv_objects import MISSING, write_missing
    from reporting.tables import markdown, write

    data = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else data / "suv_reference"
    with tempfile.TemporaryDirectory() as made:
        write_missing(folder / "DRO_0_0", Path(made))
        found = sorted(table(folder) + table(Path(made)), key=lambda row: row.name)
    rows = [
        {
            "object": row.name,
            "made": "here" if row.name in MISSING else "IBSI",
            "min": round(row.least, 4),
            "median": round(row.median, 4),
            "max": round(row.most, 4),
            "off": f"{max(map(abs, row.off)):.5f}",
            "half a unit": f"{row.unit / 2:.5f}",
            "verdict": row.verdict,
            "how": row.path,
            "told": "; ".join(warning.partition(": ")[2] for warning in row.warnings),
        }
        for row in found
    ]
    print(markdown(rows))
    counts = {verdict: [row.verdict for row in found].count(verdict) for verdict in ("right", "cut off", "WRONG")}
    print(f"\nof {len(found)} objects {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}")
    write("suv_reference", {"wanted": WANTED, "verdicts": counts, "rows": rows})
    return counts["WRONG"]


if __name__ == "__main__":
    sys.exit(main())
