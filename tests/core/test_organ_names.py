"""Which name an organ goes by, and what is said of it."""

from __future__ import annotations

import re

import nibabel as nib
import numpy as np
import pytest

import grisaille as gr
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.organ_names import TOTAL_FROM, TOTALSEGMENTATOR, named


def labels_of(*numbers, names=()):
    voxels = np.asarray(numbers, np.uint16).reshape(1, 1, -1)
    return Labels(voxels, Grid.from_spacing(voxels.shape, 1.0), dict(names))


def test_the_table_has_the_117_classes_of_version_2():
    assert list(TOTALSEGMENTATOR) == list(range(1, 118))
    assert len(set(TOTALSEGMENTATOR.values())) == 117
    some = {1: "spleen", 5: "liver", 17: "thyroid_gland", 27: "vertebrae_L5", 50: "vertebrae_C1", 52: "aorta"}
    some |= {90: "brain", 92: "rib_left_1", 115: "rib_right_12", 117: "costal_cartilages"}
    assert some.items() <= TOTALSEGMENTATOR.items()


@pytest.mark.real_data
def test_the_table_is_that_of_a_file_of_totalsegmentator(real_data):
    (extension,) = nib.load(real_data / "torso_ct" / "labels.nii.gz").header.extensions
    told = re.findall(r'Key="(\d+)".*?CDATA\[(.*?)\]', extension.get_content().decode())
    assert {int(number): name for number, name in told} == TOTALSEGMENTATOR
    assert gr.read_labels(real_data / "torso_ct" / "labels.nii.gz").names == TOTALSEGMENTATOR


def test_names_that_the_labels_bring_win():
    found, said = named(labels_of(0, 1, 5, names={1: "lesion", 5: "node", 9: "not there"}), "mine")
    assert found.names == {1: "lesion", 5: "node"}
    assert said == ()


def test_many_numbers_without_names_are_totalsegmentators_and_that_is_said():
    found, said = named(labels_of(*range(1, TOTAL_FROM + 1)), "seg.nii.gz")
    assert found.names[5] == "liver"
    assert len(said) == 1
    assert said[0].startswith("seg.nii.gz names no organ")


@pytest.mark.parametrize("numbers", [(0, 1, 2), (*range(1, TOTAL_FROM + 1), 118)])
def test_few_or_other_numbers_are_not_taken_for_totalsegmentators(numbers):
    found, said = named(labels_of(*numbers), "seg.nii.gz")
    assert found.names[2] == "organ 2"
    assert len(said) == 1


def test_a_number_without_a_name_among_named_ones_goes_by_its_number_said_once():
    found, said = named(labels_of(5, 17, 18, names={5: "liver", 18: " "}), "seg.nii.gz")
    assert found.names == {5: "liver", 17: "organ 17", 18: "organ 18"}
    assert said == ("seg.nii.gz has no names for 2 of its 3 organs (17, 18); they go by their numbers",)
