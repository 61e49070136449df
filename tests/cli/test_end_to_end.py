"""The whole way with real networks: healthy studies to a model, a study to its results, twice over."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import grisaille as gr
from grisaille.cli.main import main
from grisaille.core.grid import Axis
from grisaille.io.volumes import write_volume
from phantoms import small_cohort, small_phantom

pytestmark = pytest.mark.ai


def put(study, folder):
    folder.mkdir()
    write_volume(study.ct, folder / "CT.nii.gz")
    write_volume(study.pet, folder / "PET.nii.gz")
    return str(folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An ill study, and a model that the command line fitted on three healthy ones, coarsely."""
    root = tmp_path_factory.mktemp("whole")
    healthy = [put(case.load(), root / f"healthy{n}") for n, case in enumerate(small_cohort(3, seed=5))]
    put(small_phantom(77).study, root / "ill")
    coarse = ["--step-mm", "20", "--spacing-mm", "8", "--folds", "2", "--levels", "3,4"]
    model = str(root / "model.safetensors")
    assert main(["train", "mvg", *healthy, "--out", model, "--device", "cpu", *coarse]) == 0
    assert main(["detect", str(root / "ill"), "--method", model, "--out", str(root / "out"), "--top", "0.01"]) == 0
    return root


def test_the_files_of_a_result_agree_with_each_other_and_with_the_study(place):
    study = gr.read_study(place / "ill")
    labels = gr.read_labels(place / "out" / "labels.nii.gz", like=study.pet)
    record = json.loads((place / "out" / "result.json").read_text())
    with (place / "out" / "findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {int(row["id"]) for row in rows} == {one["id"] for one in record["findings"]} == set(labels.ids)
    for one, again in zip(record["findings"], gr.find_findings(labels, study), strict=True):
        assert one["tracking_uid"] == again.tracking_uid
        assert one["suv_peak"] == pytest.approx(again.suv_peak, rel=1e-4)
    assert record["slice_scores"]["axis"] == "axial"
    assert len(record["slice_scores"]["values"]) == study.reference.shape[Axis.AXIAL.dimension]
    assert {"efficientnet-lite0", "model.safetensors"} == {used["name"] for used in record["weights"]}
    assert record["device"] == "cpu"
    assert {"torch", "timm"} <= set(record["versions"])


def test_a_script_gets_what_the_command_wrote(place):
    study = gr.read_study(place / "ill")
    result = gr.detect(study, gr.load_method(place / "model.safetensors"), top=0.01, run=gr.Run(device="cpu"))
    labels = gr.read_labels(place / "out" / "labels.nii.gz", like=study.pet)
    assert np.array_equal(result.labels.voxels, labels.voxels)
    assert result.provenance.method == "mvg"


def test_a_setting_that_the_fit_rests_on_is_refused(place, capsys):
    words = ["detect", str(place / "ill"), "--method", str(place / "model.safetensors"), "--out", str(place / "no")]
    assert main([*words, "--axis", "sagittal"]) == 1
    assert "this model was fitted with axis = axial" in capsys.readouterr().err
    assert not (place / "no").exists()
