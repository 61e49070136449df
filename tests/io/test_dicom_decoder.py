"""Compressed and deflated pixels: decoded in a process of their own, whose end is a sentence."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import get_frame
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLSLossless, RLELossless

from compression import compress
from dicom_builder import build_image, put_pixels, save, write_series
from grisaille.core.errors import Cancelled, UnreadableFile
from grisaille.core.run import Run
from grisaille.io import dicom_decoder
from grisaille.io.dicom_child import DECODERS, Frame, Job
from grisaille.io.dicom_codestream import size_in
from grisaille.io.dicom_pixels import Decoded, decode
from grisaille.io.dicom_scan import scan

COUNT = 3


def pixels(k: int, dtype: type = np.int16) -> np.ndarray:
    """(48, 40) of a slice: smooth, then noisy, negative too where ``dtype`` is signed."""
    rows, columns = np.mgrid[:48, :40]
    noise = np.random.default_rng(k).integers(-40, 40, (48, 40))
    values = 1000 + 5 * rows - 3 * columns + 100 * k + noise * (columns > 20)
    return (values - (1100 if np.issubdtype(dtype, np.signedinteger) else 0)).astype(dtype)


def write(folder: Path) -> list[Path]:
    """A CT series of such slices."""
    return write_series(folder, count=COUNT, change=lambda image, k: put_pixels(image, pixels(k)))


def read(folder: Path, run: Run | None = None) -> Decoded:
    (series,) = scan(folder).series
    return decode(series, range(len(series.slices)), run=run)


def expected(dtype: type = np.int16) -> np.ndarray:
    return np.stack([pixels(k, dtype).astype(int) for k in range(COUNT)]) - 1024


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEG2000Lossless", "JPEGLSLossless"])
def test_every_lossless_compression_is_read_bit_for_bit(tmp_path: Path, syntax: str) -> None:
    """Signed, unsigned, of 8, 12 and 16 bits, all in one series."""
    kinds = [np.int16, np.uint16, np.uint8, np.uint16]

    def fill(image: Dataset, k: int) -> None:
        put_pixels(image, pixels(k, kinds[k]))
        if k == 3:
            image.BitsStored, image.HighBit = 12, 11

    for file in write_series(tmp_path, count=len(kinds), change=fill):
        compress(file, syntax)
    whole = np.stack([pixels(k, kind).astype(int) for k, kind in enumerate(kinds)]) - 1024
    np.testing.assert_array_equal(read(tmp_path).values, whole)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_what_pydicom_encodes_is_read_bit_for_bit(tmp_path: Path, syntax: str) -> None:
    write_series(tmp_path, count=COUNT, change=lambda image, k: (put_pixels(image, pixels(k)), image.compress(syntax)))
    np.testing.assert_array_equal(read(tmp_path).values, expected())


def test_a_deflated_series_is_read(tmp_path: Path) -> None:
    def deflate(image: Dataset, k: int) -> None:
        put_pixels(image, pixels(k))
        image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    write_series(tmp_path, count=COUNT, change=deflate)
    np.testing.assert_array_equal(read(tmp_path).values, expected())


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
def test_big_endian_is_read(tmp_path: Path, dtype: type) -> None:
    for k in range(COUNT):
        image = build_image(k=k)
        put_pixels(image, pixels(k, dtype))
        image["PixelData"].value = pixels(k, dtype).astype(np.dtype(dtype).newbyteorder(">")).tobytes()
        image["PixelData"].VR = "OB" if dtype is np.uint8 else "OW"
        image.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dcmwrite(tmp_path / f"{k}.dcm", image, implicit_vr=False, little_endian=False, force_encoding=True)
    np.testing.assert_array_equal(read(tmp_path).values, expected(dtype))


def test_plain_and_compressed_files_mix(tmp_path: Path) -> None:
    compress(write(tmp_path)[1], "JPEGLSLossless")
    np.testing.assert_array_equal(read(tmp_path).values, expected())


def test_a_program_without_a_python_of_its_own_decodes_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write(tmp_path)
    for file in files:
        compress(file, "JPEGLSLossless")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(dicom_decoder, "COMMAND", ("-c", "raise SystemExit(3)"))
    np.testing.assert_array_equal(read(tmp_path).values, expected())
    files[1].write_bytes(files[1].read_bytes()[:-600])
    with pytest.raises(UnreadableFile, match=r"pixels of CT1_001\.dcm are truncated or damaged"):
        read(tmp_path)


def test_the_folder_that_one_works_in_is_no_place_for_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in write(tmp_path / "study"):
        compress(file, "JPEGLSLossless")
    for name in ("numpy", "pydicom", "gdcm", "grisaille"):
        (tmp_path / f"{name}.py").write_text("import os; os._exit(9)")
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "study").values, expected())


class TestTheProcess:
    """It crashes, hangs or grows, and the series is refused in a sentence."""

    @pytest.fixture
    def compressed(self, tmp_path: Path) -> Path:
        for file in write(tmp_path):
            compress(file, "JPEGLSLossless")
        return tmp_path

    @pytest.fixture
    def script(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        return lambda source: monkeypatch.setattr(dicom_decoder, "COMMAND", ("-c", source))

    def test_a_crash_is_named_with_the_file_it_happened_at(
        self, compressed: Path, script: Callable[[str], None]
    ) -> None:
        script(
            "import os; from grisaille.io import dicom_child as child; whole = child.read_whole\n"
            "child.read_whole = lambda file, most: os.abort() if '_001' in file.name else whole(file, most)\n"
            "child.main()"
        )
        with pytest.raises(UnreadableFile, match=r"CT1_001\.dcm .*\(the decoder crashed with code -?\d+\)"):
            read(compressed)

    def test_no_process_at_all_is_a_sentence_too(self, compressed: Path, script: Callable[[str], None]) -> None:
        script("raise SystemExit(3)")
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm .*crashed with code 3"):
            read(compressed)

    def test_an_answer_that_is_none_is_not_believed(self, compressed: Path, script: Callable[[str], None]) -> None:
        script("import sys; sys.stdin.read(); sys.stdout.write('x' * 10_000)")
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm"):
            read(compressed)

    def test_a_decoder_that_hangs_is_given_up_on(
        self, compressed: Path, script: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script("import time; time.sleep(60)")
        monkeypatch.setattr(dicom_decoder, "LONGEST_FRAME_S", 0.2)
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm .*the decoder took over 0 s"):
            read(compressed)

    def test_one_that_takes_too_much_memory_is_ended(
        self, compressed: Path, script: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The watch of the systems that know no limit."""
        script("import time; taken = b'x' * 200_000_000; time.sleep(60)")
        monkeypatch.setattr(dicom_decoder, "STARTED_BYTES", 0)
        monkeypatch.setattr(dicom_decoder, "ROOM_BYTES", 10**8)
        with pytest.raises(UnreadableFile, match="the decoder took too much memory"):
            read(compressed)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to a limit of address space")
    def test_it_has_a_limit_of_its_own(self, compressed: Path, script: Callable[[str], None]) -> None:
        script(
            "from grisaille.io import dicom_child as child\n"
            "child.read_whole = lambda file, most: bytearray(2 * 10**9)\n"
            "child.main()"
        )
        with pytest.raises(UnreadableFile, match="MemoryError"):
            read(compressed)

    def test_cancelling_takes_less_than_a_second_and_leaves_no_process(
        self, compressed: Path, script: Callable[[str], None]
    ) -> None:
        script("import time; time.sleep(60)")
        asked: list[float] = []
        before = set(psutil.Process().children())

        def is_cancelled() -> bool:
            asked.append(time.monotonic())
            return len(asked) > 3

        with pytest.raises(Cancelled):
            read(compressed, Run(is_cancelled=is_cancelled))
        assert time.monotonic() - asked[-1] < 1
        assert set(psutil.Process().children()) <= before


def test_the_process_loads_no_more_than_it_needs() -> None:
    """It has to start in a moment."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import grisaille.io.dicom_child, sys; print(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"torch", "scipy", "SimpleITK", "highdicom", "napari", "qtpy", "nibabel"} & set(loaded)


def test_a_job_survives_the_way_to_the_process(tmp_path: Path) -> None:
    job = Job([Frame(str(tmp_path / "ä\udce4.dcm"), 3, 4, 5)], 6, 7)
    assert Job.from_json(job.to_json()) == job


def test_the_fastest_decoder_goes_first() -> None:
    assert DECODERS.index("gdcm") < DECODERS.index("pyjpegls") < DECODERS.index("pylibjpeg") < DECODERS.index("pillow")


class TestCodestream:
    """The size that a decoder would go by."""

    @pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEG2000Lossless", "JPEGLSLossless"])
    def test_it_is_found_in_what_an_encoder_writes(self, tmp_path: Path, syntax: str) -> None:
        file = write(tmp_path)[0]
        compress(file, syntax)
        assert size_in(get_frame(dcmread(file).PixelData, 0, number_of_frames=1)) == (48, 40)

    @pytest.mark.parametrize(
        "stream", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00", b"\xff\x4f\xff\x51\x00", b"RLE" * 40]
    )
    def test_of_others_and_of_pieces_nothing_is_said(self, stream: bytes) -> None:
        assert size_in(stream) is None

    def test_a_header_that_says_less_than_the_codestream_is_refused(self, tmp_path: Path) -> None:
        file = write(tmp_path)[0]
        compress(file, "JPEG2000Lossless")
        image = dcmread(file)
        image.Rows = image.Columns = 40
        save(image, file)
        (series, *_) = scan(file).series
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm are truncated or damaged"):
            decode(series, [0])
