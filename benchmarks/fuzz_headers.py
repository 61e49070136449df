"""Spoilt headers of DICOM, ZIP, NIfTI, NRRD and MetaImage: what each ends in.

    python benchmarks/fuzz_headers.py --files 5000 --seed 0

Asked: a volume that is right or one of our errors; no other exception, no crash, no hang over 5 s, no
memory of more than 300 MB, and nothing of the patient in any sentence. Every case that ends otherwise is
printed with its number; ``--only NUMBER`` makes it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from reporting.tables import markdown, write

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from header_fuzzing import GOOD, Outcome, fuzz
from header_seeds import SEEDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000, help="how many, over all kinds in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one case alone")
    given = parser.parse_args()
    numbers = range(given.files) if given.only is None else range(given.only, given.only + 1)
    started = time.monotonic()
    tally = fuzz(given.seed, numbers)
    rows = [
        {"seed": seed.name, **{outcome.value: tally.counts[seed.name, outcome] for outcome in Outcome}}
        for seed in SEEDS
        if any(tally.counts[seed.name, outcome] for outcome in Outcome)
    ]
    total = {"seed": "all", **{outcome.value: tally.of(outcome) for outcome in Outcome}}
    print(markdown([*rows, total]))
    for number, spoilt, outcome, words in tally.bad:
        print(f"{number}: {spoilt.seed}: {spoilt.how}: {outcome.value}: {words}")
    figures = {
        "files": len(numbers),
        "seconds": time.monotonic() - started,
        "slowest file, s": tally.slowest_s,
        "largest process, its libraries included, MB": tally.largest_kb / 1024,
    }
    print("\n" + markdown([figures]))
    if given.only is None:
        write("fuzz_headers", {"rows": [*rows, total], "figures": figures})
    return sum(tally.of(outcome) for outcome in Outcome if outcome not in GOOD)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
