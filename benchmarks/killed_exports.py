"""Exports killed (-9) at a random moment, and on a disk that is full: is anything half-written under the final name?

    python benchmarks/killed_exports.py [--tries 20]

Each try is a process of its own that begins with everything loaded, is given between nothing and the whole of the time
that an undisturbed export takes, and is then killed. The file of that name was there before: it must be the old one
or a whole new one, which is read again. The full disk is a file system of 64 kB, where one may be mounted.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import dcmread
from reporting.tables import markdown, write

from grisaille.core.errors import GrisailleError
from grisaille.core.run import Run
from grisaille.flows.export import ExportOptions, Format, gather
from grisaille.flows.export import write as write_export
from grisaille.io.labels import read_labels
from grisaille.io.study import read_volume

SAMPLE = Path(__file__).parents[1] / "sample_volumes" / "dicom_station"
OLD = b"what was there before"


def exporter() -> Callable[[Format, Path], None]:
    """Writes one format of the sample's lesions to a file that is there already."""
    from oracles.check_export import Case, result_of

    pet = read_volume(SAMPLE / "PET")
    labels = read_labels(SAMPLE / "lesions.nii.gz", like=pet)
    material = gather(result_of(Case("", pet, labels, together=False)), pet)

    def export(kind: Format, path: Path) -> None:
        write_export(material, {kind: path}, ExportOptions(overwrite=True), Run())

    return export


def is_whole(kind: Format, path: Path) -> bool:
    """Whether a new file can be read to its end."""
    if kind.is_dicom:
        made = dcmread(path)
        return "PatientID" in made and str(made.SOPInstanceUID) != ""
    if kind in (Format.NIFTI, Format.NRRD):
        return bool(np.any(read_labels(path).voxels))
    return path.read_bytes().endswith(b"\n")


def killed(kind: Format, export: Callable[[Format, Path], None], tries: int, folder: Path) -> dict[str, object]:
    """How the tries of one format ended."""
    path = folder / kind.file_name
    export(kind, path)  # everything is loaded after the first
    started = time.perf_counter()
    export(kind, path)
    whole_s = time.perf_counter() - started
    ends = {"old": 0, "new": 0, "half": 0}
    for _ in range(tries):
        path.write_bytes(OLD)
        child = os.fork()
        if child == 0:
            export(kind, path)
            os._exit(0)
        time.sleep(random.uniform(0, 1.1 * whole_s))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if path.read_bytes() == OLD:
            ends["old"] += 1
        else:
            ends["new" if is_whole(kind, path) else "half"] += 1
    return {
        "format": kind.key,
        "seconds": round(whole_s, 2),
        **{f"killed: {end}": count for end, count in ends.items()},
    }


def full(kind: Format, export: Callable[[Format, Path], None], tries: int, folder: Path) -> dict[str, object]:
    """On a disk without room: how many of ``tries`` were refused with a sentence, and files left over."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        return {"full: refused": "not tried", "full: left over": "no disk can be mounted here"}
    try:
        (folder / "filler").write_bytes(bytes(60 * 1024))
        path, refused, left = folder / kind.file_name, 0, 0
        for _ in range(tries):
            try:
                export(kind, path)
            except GrisailleError:
                refused += 1
            left += len([one for one in folder.iterdir() if one.name != "filler"])
            for one in folder.iterdir():
                if one.name != "filler":
                    one.unlink()
        return {"full: refused": refused, "full: left over": left}
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=20)
    tries = parser.parse_args().tries
    random.seed(0)
    export, rows = exporter(), []
    for kind in Format:
        if kind is Format.RTSTRUCT:
            continue
        with tempfile.TemporaryDirectory() as folder:
            row = killed(kind, export, tries, Path(folder))
            disk = Path(folder) / "disk"
            disk.mkdir()
            rows.append({**row, **full(kind, export, tries, disk)})
        print(rows[-1], file=sys.stderr, flush=True)
    print(markdown(rows))
    write("killed_exports", {"tries": tries, "rows": rows})
    return sum(int(str(row["killed: half"])) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
