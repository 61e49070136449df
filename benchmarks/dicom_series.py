"""What grisaille, SimpleITK and highdicom make of series as folders hold them, regular and not.

    python benchmarks/dicom_series.py [--markdown FILE]

Every series has 12 slices whose values are all different, but for those whose fault is another number of them.
"Right" is measured: each voxel is looked for at its place in millimetres and has to have its value; where there
is no right volume, the refusal has to name the fault. SimpleITK and highdicom read each folder in a process
of their own, the way their documentation shows first.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from reporting.tables import markdown, write

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from dicom_cases import CASES  # noqa: E402
from series_checks import Case, Reads, Truth, difference, outcome  # noqa: E402

PEERS = ("SimpleITK", "highdicom")
LONGEST_S = 120
SHOWN = 150
"""Letters of a sentence in the printed table; the JSON has them all."""


def main() -> int:
    """Print the table; the exit status is the number of rows where grisaille was not right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        read_as_peer(*given.peer)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        rows = [row_of(case, Path(folder) / str(number)) for number, case in enumerate(CASES)]
    table = markdown([{head: _short(words) for head, words in row.items()} for row in rows])
    counts = {
        "rows": len(rows),
        "grisaille right": sum(row["right"] == "yes" for row in rows),
        **{
            f"{peer}: a wrong volume and no error": sum(row[peer].startswith("WRONG") for row in rows) for peer in PEERS
        },
        **{
            f"{peer}: refused or crashed": sum(row[peer].startswith(("refused", "crash")) for row in rows)
            for peer in PEERS
        },
    }
    print(table)
    print("\n" + "; ".join(f"{words} {count}" for words, count in counts.items()))
    if given.markdown:
        given.markdown.write_text(table + "\n")
    write("dicom_series", {"counts": counts, "peers": {peer: version(peer) for peer in PEERS}, "rows": rows})
    return counts["rows"] - counts["grisaille right"]


def row_of(case: Case, folder: Path) -> dict[str, Any]:
    """One series, as three read it."""
    case.build(folder)
    ours = [outcome(expected, folder) for expected in case.expected]
    truth = next((one.truth for one in case.expected if isinstance(one, Reads)), None)
    return {
        "series": case.name,
        "grisaille": " / ".join(one.words for one in ours).replace("|", "/"),
        "right": "yes" if all(one.is_right for one in ours) else "NO",
        **{peer: verdict(peer, folder, truth, case.also) for peer in PEERS},
    }


def _short(words: str) -> str:
    parts = words.split(" / ")
    return " / ".join(part if len(part) <= SHOWN else part[: SHOWN - 3] + "..." for part in parts)


def verdict(peer: str, folder: Path, truth: Truth | None, also: Truth | None) -> str:
    """What a peer did, in words; a volume like ``also`` is no mistake."""
    answer = folder.parent / "answer.npz"
    answer.unlink(missing_ok=True)
    command = [sys.executable, str(HERE), "--peer", peer, str(folder), str(answer)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        return f"crash: no answer in {LONGEST_S} s"
    if done.returncode or not answer.exists():
        if done.returncode < 0:
            return f"crash: signal {-done.returncode}"
        lines = done.stderr.strip().splitlines() or ["nothing said"]
        last = next((line for line in reversed(lines) if "Error: " in line), lines[-1])
        return f"refused: {last[:160]}".replace("|", "/")
    with np.load(answer) as read:
        values, affine = read["values"], read["affine"]
    said = ", with a warning on the console" if "arning" in done.stderr else ""
    if truth is None:
        shape = "x".join(map(str, values.shape))
        steps = " x ".join(f"{step:.4g}" for step in np.linalg.norm(affine[:3, :3], axis=0))
        return f"WRONG: a volume of {shape} voxels of {steps} mm where there is none{said}"
    wrong = difference(values, affine, truth)
    if wrong and also is not None and not difference(values, affine, also):
        return "the values as they are stored"
    return f"WRONG: {wrong}{said}" if wrong else "right"


def read_as_peer(peer: str, folder: str, answer: str) -> None:
    """Read a folder with another library and keep values (z, y, x) and affine; in a process of its own."""
    values, affine = (_simple_itk if peer == "SimpleITK" else _highdicom)(folder)
    np.savez(answer, values=values, affine=affine)


def _simple_itk(folder: str) -> tuple[np.ndarray, np.ndarray]:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
    image = reader.Execute()
    if image.GetDimension() == 4:  # one multi-frame file: a series of one volume
        image = image[:, :, :, 0]
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), _listed_zyx(affine)


def _highdicom(folder: str) -> tuple[np.ndarray, np.ndarray]:
    import highdicom as hd
    from pydicom import dcmread

    files = sorted(Path(folder).iterdir())
    with warnings.catch_warnings(), contextlib.suppress(IndexError):
        warnings.simplefilter("ignore")
        first = dcmread(files[0])
        if "PerFrameFunctionalGroupsSequence" in first:
            volume = hd.imread(files[0]).get_volume()
        else:
            volume = hd.get_volume_from_series([dcmread(file) for file in files])
    # Its index is (slice, row, column), its affine to (x, y, z).
    affine = np.eye(4)
    affine[:3] = volume.affine[2::-1]
    return volume.array, affine


def _listed_zyx(affine_xyz: np.ndarray) -> np.ndarray:
    """From index (i, j, k) to (x, y, z), to index (k, j, i) to (z, y, x)."""
    turned = np.eye(4)
    turned[:3, :3] = affine_xyz[2::-1, 2::-1]
    turned[:3, 3] = affine_xyz[2::-1, 3]
    return turned


if __name__ == "__main__":
    sys.exit(main())
