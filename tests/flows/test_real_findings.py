"""Findings on real PET/CT: one tumour drawn on two grids reads the same, and as published."""

from __future__ import annotations

import pytest

import grisaille as gr

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def tumour(real_data):
    """A sarcoma of the thigh with a dead core, measured by its mask on the PET's and on the CT's grid."""
    folder = real_data / "sarcoma" / "STS_001"
    study = gr.read_study(ct=folder / "CT.nii.gz", pet=folder / "PET.nii.gz", pet_unit="suvbw")
    masks = {"pet": study.pet, "ct": study.ct}
    return {
        key: max(
            gr.find_findings(gr.read_labels(folder / f"{key.upper()}_gtv.nii.gz", like=volume), study),
            key=lambda finding: finding.volume_ml,
        )
        for key, volume in masks.items()
    }


def test_its_uptake_is_the_published_one(tumour):
    one = tumour["pet"]
    assert (one.volume_ml, one.suv_mean, one.suv_max) == pytest.approx((366, 2.56, 7.91), rel=0.005)
    assert one.suv_mean < one.suv_peak < one.suv_max
    assert one.tlg == pytest.approx(one.volume_ml * one.suv_mean)


def test_the_grid_that_it_is_drawn_on_matters_little(tumour):
    pet, ct = tumour["pet"], tumour["ct"]
    for name in ("volume_ml", "suv_max", "suv_mean", "suv_peak", "hu_mean"):
        assert getattr(pet, name) == pytest.approx(getattr(ct, name), rel=0.01)
    assert pet.long_axis_mm == pytest.approx(ct.long_axis_mm, abs=4.7)  # a PET voxel
    for name in ("centroid_l_mm", "centroid_p_mm", "centroid_s_mm"):
        assert getattr(pet, name) == pytest.approx(getattr(ct, name), abs=0.2)
