"""Every comparison with an independent library, one after the other: the scripts here called check_*.py.

    make oracles                                                       # makes .venv-oracles too
    python benchmarks/oracles/run_all.py .venv-oracles/bin/python [suv]

Each script runs in grisaille's own environment and is given the interpreter of the oracles' as its
first argument; figures pass between them as files in a temporary folder. It fails if they disagree.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(interpreter: str, names: list[str]) -> int:
    """Run the checks named, or all; the number of those that failed."""
    known = {path.stem.removeprefix("check_"): path for path in sorted(HERE.glob("check_*.py"))}
    failed = []
    for name in names or known:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, str(known[name]), interpreter], check=False).returncode:
            failed.append(name)
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall oracles agree")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
