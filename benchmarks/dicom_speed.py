"""Reading a CT of 300 x 512 x 512: grisaille beside SimpleITK and highdicom, plain and compressed.

    python benchmarks/dicom_speed.py [--slices 300] [--repeats 5]

Every reading is a process of its own, the readers take turns, and the least of the repeats is told:
the time from the folder to the array, imports not counted, and the peak memory beyond the imports.
The same numbers must come out of all. Asked: at most 1.5 times SimpleITK's time for the plain series.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from pydicom import Dataset
from pydicom.uid import RLELossless
from reporting.tables import markdown, write

from compression import compress
from dicom_builder import put_pixels, write_series

ASKED_RATIO = 1.5
SIDE = 512

READERS = {
    "grisaille": (
        "from grisaille.io.dicom import read_series, scan",
        "(series,) = scan(Path(folder)).series; voxels = read_series(series).voxels",
    ),
    "SimpleITK": (
        "import SimpleITK",
        "reader = SimpleITK.ImageSeriesReader(); "
        "reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder)); image = reader.Execute(); "
        "voxels = SimpleITK.GetArrayViewFromImage(image)",
    ),
    "highdicom": (
        "import highdicom, numpy, pydicom",
        "files = [pydicom.dcmread(file) for file in sorted(Path(folder).iterdir())]; "
        "voxels = highdicom.get_volume_from_series(files, apply_real_world_transform=False, "
        "apply_presentation_lut=False, dtype=numpy.float32).array",
    ),
}
CHILD = """
import hashlib, json, resource, sys, time
from pathlib import Path
import numpy
{imports}
folder = sys.argv[1]
def usage():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used), used[0].ru_maxrss, used[1].ru_maxrss
before, bare, _ = usage()
started = time.perf_counter()
{read}
seconds = time.perf_counter() - started
after, peak, child = usage()
# highdicom counts its slices the other way round
ends = [float(voxels[place].std(dtype=numpy.float64)) for place in (7, -8)]
sums = [int(voxels.shape[0]), float(voxels.sum(dtype=numpy.float64)), *sorted(ends)]
print(json.dumps([seconds, after - before, (peak - bare) / 1000, child / 1000, sums, str(voxels.dtype)]))
"""
SYNTAXES: dict[str, Callable[[Path], None] | None] = {
    "plain": None,
    "RLE": lambda file: _rle(file),
    "JPEG-LS": lambda file: compress(file, "JPEGLSLossless"),
    "JPEG lossless": lambda file: compress(file, "JPEGLosslessProcess14_1"),
    "JPEG 2000": lambda file: compress(file, "JPEG2000Lossless"),
}


def _rle(file: Path) -> None:
    from pydicom import dcmread

    image = dcmread(file)
    image.compress(RLELossless)
    image.save_as(file)


def _slice(k: int, slices: int) -> np.ndarray:
    """(512, 512) int16: a noisy body in air, lungs and bones in it."""
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    values = np.full((SIDE, SIDE), 0.0)
    values[rows**2 / 0.4 + columns**2 / 0.7 < 1] = 1060
    values[rows**2 / 0.12 + (abs(columns) - 0.4) ** 2 / 0.05 < 1 - abs(2 * k / slices - 1)] = 200
    values[(rows - 0.4) ** 2 + columns**2 < 0.01] = 1900
    noise = np.random.default_rng(k).normal(0, 15, values.shape)
    return np.clip(values + noise, 0, 4095).astype(np.int16)


def _study(folder: Path, slices: int) -> None:
    def fill(image: Dataset, k: int) -> None:
        put_pixels(image, _slice(k, slices))
        image.BitsStored, image.HighBit, image.PixelRepresentation = 12, 11, 0
        image.PixelSpacing = [0.7, 0.7]

    write_series(folder, count=slices, change=fill)


def _reading(reader: str, folder: Path) -> dict[str, Any]:
    imports, read = READERS[reader]
    script = CHILD.format(imports=imports, read=read)
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.splitlines()[-1]}
    seconds, cpu, more, child, sums, dtype = json.loads(done.stdout.splitlines()[-1])
    return {"s": seconds, "CPU-s": cpu, "MB": more, "MB of decoder": child, "sums": sums, "dtype": dtype}


def _rows(syntax: str, folder: Path, repeats: int) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {reader: [] for reader in READERS}
    for _ in range(repeats):
        for reader in READERS:
            found[reader].append(_reading(reader, folder))
    rows: list[dict[str, Any]] = []
    for reader, readings in found.items():
        good = [one for one in readings if "error" not in one]
        if not good:
            rows.append({"series": syntax, "reader": reader, "note": readings[0]["error"][:80]})
            continue
        row: dict[str, Any] = {"series": syntax, "reader": reader}
        row |= {key: min(one[key] for one in good) for key in ("s", "CPU-s", "MB", "MB of decoder")}
        rows.append({**row, "dtype": good[0]["dtype"], "sums": good[0]["sums"]})
    theirs = next(row for row in rows if row["reader"] == "SimpleITK")
    for row in rows:
        if "s" in row and "s" in theirs:
            row["of SimpleITK's time"] = row["s"] / theirs["s"]
            row["of its CPU"] = row["CPU-s"] / theirs["CPU-s"]
            row["same numbers"] = bool(np.allclose(row["sums"], theirs["sums"]))
    head = dict.fromkeys(key for row in rows for key in row if key != "sums")
    return [{key: row.get(key) for key in head} for row in rows]


def main() -> int:
    """The table; 1 if the plain series took longer than asked, or numbers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--syntaxes", nargs="*", default=list(SYNTAXES))
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for syntax in given.syntaxes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "study")
            _study(folder, given.slices)
            encode = SYNTAXES[syntax]
            for file in sorted(folder.iterdir()) if encode is not None else ():
                encode(file)
            rows += _rows(syntax, folder, given.repeats if encode is None else max(given.repeats // 2, 1))
    print(markdown(rows))
    print(write("dicom_speed", {"asked": ASKED_RATIO, "slices": given.slices, "rows": rows}))
    plain = next((row for row in rows if (row["series"], row["reader"]) == ("plain", "grisaille")), None)
    is_fast = plain is None or plain["of SimpleITK's time"] <= ASKED_RATIO
    return int(not is_fast or not all(row.get("same numbers") in (True, None) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
