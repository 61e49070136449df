"""What files made to do harm do: nothing, in under a second.

    python benchmarks/dicom_bombs.py [NAME ...]

Each file (MEDICAL.md 6.1; rows 33 and 34 of 6.4) is read in a process of its own under a limit of
address space. Told are the sentence it ends in, the seconds beyond the import (and those
of CPU, which a busy machine does not change), the peak memory beyond that of the bare import, and all
the peak memory of the decoding process where one was started.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from reporting.tables import markdown, write

from bombs import BOMBS

LIMIT_BYTES = 12 * 2**30
ASKED_S, ASKED_MB = 1.0, 300.0
CHILD = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from grisaille.core.errors import GrisailleError
from grisaille.io.dicom import read_series, scan
def peak(who):
    return resource.getrusage(who).ru_maxrss
def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
bare, before, started, said = peak(resource.RUSAGE_SELF), cpu(), time.perf_counter(), ""
try:
    found = scan({file!r} if {is_one} else {folder!r})
    said = "; ".join(one.reason for one in found.skipped)
    for series in found.series:
        volume = read_series(series)
        said = f"READ {{volume.grid.shape}} {{float(volume.voxels.min())}} to {{float(volume.voxels.max())}}"
except GrisailleError as error:
    said = f"{{type(error).__name__}}: {{error}}"
except BaseException as error:
    said = f"NOT OURS {{type(error).__name__}}"
seconds = time.perf_counter() - started
more, child = peak(resource.RUSAGE_SELF) - bare, peak(resource.RUSAGE_CHILDREN)
print(json.dumps([said, seconds, cpu() - before, more / 1000, child / 1000]))
"""


def outcome(bomb: Callable[[Path], bytes], *, is_one: bool = True) -> dict[str, Any]:
    """What reading it ends in."""
    with tempfile.TemporaryDirectory() as place:
        content = bomb(Path(place))
        folder = Path(place, "study")
        folder.mkdir()
        file = folder / "image.dcm"
        file.write_bytes(content)
        del content
        script = CHILD.format(limit=LIMIT_BYTES, file=str(file), folder=str(folder), is_one=is_one)
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
        size = file.stat().st_size
    row: dict[str, Any] = {"file": bomb.__name__, "MB": size / 1e6}
    if done.returncode:
        return {**row, "outcome": f"DIED with {done.returncode}", "s": time.monotonic() - started, "MB more": None}
    said, seconds, used, more, child = json.loads(done.stdout.splitlines()[-1])
    return {**row, "outcome": said, "s": seconds, "CPU-s": used, "MB more": more, "MB of decoder": child}


def main(names: list[str]) -> int:
    """The table; 1 if a file was read, took too long or too much."""
    assert sys.platform != "win32", resource
    rows = [outcome(bomb) for bomb in BOMBS if not names or bomb.__name__ in names]
    for row in rows:
        row["as asked"] = bool(
            row["MB more"] is not None
            and row["s"] < ASKED_S
            and row["MB more"] + row["MB of decoder"] < ASKED_MB
            and not row["outcome"].startswith(("READ", "NOT OURS"))
        )
    print(markdown(rows))
    if not names:
        print(write("dicom_bombs", {"asked": {"s": ASKED_S, "MB": ASKED_MB}, "rows": rows}))
    return int(not all(row["as asked"] for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
