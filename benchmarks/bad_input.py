"""The 56 rows of the bad-input table: what was put in, what is expected, what happened.

    scripts/with_display python benchmarks/bad_input.py            # counts the rows that are as expected
    python benchmarks/bad_input.py --large                         # and 1500 slices of 512 x 512, read and stopped

A row is as expected if every test of it passes: those called ``test_row_NN_...`` in ``tests/io`` and those that
``tests/bad_input_rows.py`` names. A row of which a test was skipped is counted apart.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from reporting.tables import markdown, write

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bad_input_rows import ELSEWHERE, ROWS  # noqa: E402


class Collector:
    """What each test ended in, and what it told."""

    def __init__(self) -> None:
        self.ended: dict[str, list[str]] = defaultdict(list)
        self.told: dict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            node = report.nodeid.partition("[")[0]
            self.ended[node].append("xfailed" if hasattr(report, "wasxfail") else report.outcome)
            self.told[node] += [value for key, value in report.user_properties if key == "happened"]


def rows() -> list[dict[str, Any]]:
    """Run every test of every row."""
    files = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "tests" / "io").glob("test_bad_*.py"))
    named = sorted({node for nodes in ELSEWHERE.values() for node in nodes})
    collector = Collector()
    pytest.main(
        ["-q", "-p", "no:cacheprovider", "--no-header", "--tb=short", f"--rootdir={ROOT}", *files, *named], [collector]
    )
    table = []
    for number, (what, expected) in ROWS.items():
        nodes = [node for node in collector.ended if f"test_row_{number:02d}_" in node]
        nodes += [node for node in ELSEWHERE.get(number, ()) if node not in nodes]
        outcomes = [outcome for node in nodes for outcome in collector.ended.get(node, ["absent"])]
        told = [sentence for node in nodes for sentence in collector.told[node]]
        is_right = all(outcome == "passed" for outcome in outcomes)
        is_skipped = not is_right and set(outcomes) <= {"passed", "skipped"}
        happened = told[0] if told else f"{outcomes.count('passed')} tests passed"
        table.append(
            {
                "row": number,
                "input": what,
                "expected": expected,
                "what happened": happened.replace("|", "/").replace("\n", " ")[:140],
                "tests": f"{outcomes.count('passed')} of {len(outcomes)}",
                "right": "yes" if is_right else "skipped" if is_skipped else "NO",
            }
        )
    return table


def large() -> dict[str, float]:
    """1500 slices of 512 x 512: the time to read them, and to stop when that is asked half way."""
    import numpy as np

    from dicom_builder import put_pixels, write_series
    from grisaille.core.errors import Cancelled
    from grisaille.core.run import Progress, Run
    from grisaille.io.study import read_volume

    with tempfile.TemporaryDirectory() as folder:
        pixels = np.random.default_rng(0).integers(0, 2000, (512, 512), np.int16)
        write_series(Path(folder), count=1500, change=lambda image, _: put_pixels(image, pixels))
        started = time.monotonic()
        volume = read_volume(folder)
        took = time.monotonic() - started
        assert volume.grid.shape == (1500, 512, 512)
        del volume
        asked: list[float] = []

        def watch(step: Progress) -> None:
            if step.what.startswith("reading CT") and step.done >= 700 and not asked:
                asked.append(time.monotonic())

        try:
            read_volume(folder, run=Run(on_progress=watch, is_cancelled=lambda: bool(asked)))
        except Cancelled:
            stopped = time.monotonic() - asked[0]
    return {
        "1500 slices read, s": took,
        "stopped, s": stopped,
        "largest resident size, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="row 22 in its full size: takes 800 MB of disk")
    given = parser.parse_args()
    figures = large() if given.large else {}
    table = rows()
    print(markdown(table))
    counts = {word: sum(row["right"] == word for row in table) for word in ("yes", "skipped", "NO")}
    print(f"\n{counts['yes']} of {len(table)} rows as expected, {counts['skipped']} skipped, {counts['NO']} not")
    if figures:
        print("\n" + markdown([figures]))
    write("bad_input", {"rows": table, "counts": counts, "large": figures})
    return counts["NO"]


if __name__ == "__main__":
    sys.exit(min(main(), 1))
