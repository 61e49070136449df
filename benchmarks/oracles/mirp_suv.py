"""MIRP's SUV of DICOM series, as files; run by ``check_suv.py`` with the oracles' interpreter.

    .venv-oracles/bin/python benchmarks/oracles/mirp_suv.py FOLDER

``FOLDER/jobs.json`` lists what to compute: name, folder and kind of SUV. Each gives ``NAME.npy``
(z, y, x) and ``NAME.json`` with its place, or with the reason why MIRP gave none.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    from mirp import extract_images

    logging.disable(logging.WARNING)
    for job in json.loads((folder / "jobs.json").read_text()):
        asked = {"image_modality": "pet", "pet_suv_conversion": job["kind"], "image_export_format": "dict"}
        try:
            ((images, _),) = extract_images(image=job["folder"], export_images=True, write_images=False, **asked)
            (found,) = images
            place = {name: np.asarray(found[f"image_{name}"]).tolist() for name in ("spacing", "origin", "orientation")}
            np.save(folder / f"{job['name']}.npy", np.asarray(found["image"], np.float64))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            place = {"error": f"{type(error).__name__}: {error}"}
        (folder / f"{job['name']}.json").write_text(json.dumps(place))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
