"""A CT of 1500 slices of 512 x 512, uncompressed: how long reading takes, and how soon it stops when asked.

    python benchmarks/dicom_many_slices.py [--slices 1500] [--pixels 512]

Asked: under 10 s, and under 1 s from the press of Cancel. The files lie in the page cache, as they do where they
were just copied; a slow disk adds its own time.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from reporting.tables import markdown, write

import grisaille as gr
from grisaille.core.errors import Cancelled

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from dicom_builder import build_image, put_pixels, save


def main() -> None:
    """Print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=1500)
    parser.add_argument("--pixels", type=int, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), given.slices, given.pixels)
        rows = [_read(Path(folder), given.slices)]
        rows += [_cancelled(Path(folder), after) for after in ("reading DICOM headers", "reading CT series")]
    print(markdown(rows))
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory {peak_gb:.2f} GB")
    write("dicom_many_slices", {"slices": given.slices, "pixels": given.pixels, "peak_gb": peak_gb, "rows": rows})


def _write(folder: Path, slices: int, pixels: int) -> None:
    image = build_image("CT")
    ramp = np.random.default_rng(0).integers(0, 2000, (pixels, pixels)).astype(np.int16)
    for k in range(slices):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.8.498.42.1.{k + 1}"
        image.ImagePositionPatient, image.InstanceNumber = [0, 0, 1.0 * k], k + 1
        put_pixels(image, np.roll(ramp, k))
        save(image, folder / f"{k:05d}.dcm")


def _read(folder: Path, slices: int) -> dict[str, Any]:
    started, worked = time.perf_counter(), time.process_time()
    volume = gr.read_volume(folder)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    if volume.voxels.shape[0] != slices:
        raise SystemExit(f"{volume.voxels.shape[0]} slices were read, expected {slices}")
    return {"what": "read whole", "seconds": seconds, "of which the process ran": worked}


def _cancelled(folder: Path, during: str) -> dict[str, Any]:
    """Seconds from the wish to stop, in the middle of a stage, to the end of the reading."""
    wished: list[float] = []

    def look(step: Any) -> None:
        if step.what.startswith(during) and step.done >= (step.total or 0) // 2 and not wished:
            wished.append(time.perf_counter())

    try:
        gr.read_volume(folder, run=gr.Run(on_progress=look, is_cancelled=lambda: bool(wished)))
    except Cancelled:
        return {"what": f"cancelled while {during}", "seconds": time.perf_counter() - wished[0]}
    raise SystemExit(f"the reading went on after Cancel while {during}")


if __name__ == "__main__":
    main()
