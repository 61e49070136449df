"""Whatever happens to the bytes of a header, the answer is an image or a sentence, and no other error."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import GrisailleError
from grisaille.io.files import read_file
from image_builder import numbers, oblique, save_itk, save_nifti

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")


def whole(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save = save_nifti if ".nii" in suffix else save_itk
        content = save(Path(folder, f"a{suffix}"), numbers(), oblique(1)).read_bytes()
    return gzip.decompress(content) if suffix == ".nii.gz" else content


WHOLE = {suffix: whole(suffix) for suffix in SUFFIXES}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("suffix", SUFFIXES)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8), data=st.data())
@settings(max_examples=250, deadline=None)
def test_a_header_changed_anywhere_gives_an_image_or_a_sentence(
    suffix: str, changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    content = bytearray(WHOLE[suffix])
    for place, byte in changes:
        content[place] = byte
    length = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    spoilt = bytes(content[:length])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{suffix}")
        path.write_bytes(gzip.compress(spoilt) if suffix == ".nii.gz" else spoilt)
        said = what_reading_gives(path)
    assert said == "" or (f"a{suffix}" in said and folder not in said)


def what_reading_gives(path: Path) -> str:
    """The sentence, or nothing if there is an image."""
    try:
        image = read_file(path)
    except GrisailleError as error:
        return str(error)
    assert image.voxels.shape == image.grid.shape
    return ""
