"""Masks that rt-utils makes of an RTSTRUCT, as files; run by ``check_rtstruct.py`` with the oracles' interpreter.

    .venv-oracles/bin/python benchmarks/oracles/rt_utils_masks.py FOLDER

``FOLDER/jobs.json`` lists what to read: name, folder of the series and RTSTRUCT. Each gives ``NAME.npz``
with a mask (row, column, slice) for each ROI, the slices ascending from the feet.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    from rt_utils import RTStructBuilder

    for job in json.loads((folder / "jobs.json").read_text()):
        read = RTStructBuilder.create_from(dicom_series_path=job["series"], rt_struct_path=job["rtstruct"])
        masks = {name: read.get_roi_mask_by_name(name) for name in read.get_roi_names()}
        np.savez_compressed(folder / f"{job['name']}.npz", **masks)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
