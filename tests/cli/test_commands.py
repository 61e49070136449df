"""The commands as they are typed: what they print, write and return."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest

from grisaille.cli import desktop, doctor
from grisaille.cli.main import main
from grisaille.core.finding import FINDING_COLUMNS
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.flows.cases import healthy_cases
from grisaille.flows.load import load_method, save_method
from grisaille.flows.make_dicom import Visit, write_series
from grisaille.io.files import read_file
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.volumes import write_volume
from grisaille.methods import catalog
from intensity_method import IntensityConfig, IntensityMethod

SHAPE = (12, 16, 16)
SOURCES = {**os.environ, "PYTHONPATH": str(Path(main.__code__.co_filename).parents[2])}
"""Environment in which a new process imports the grisaille under test."""


@pytest.fixture(autouse=True)
def catalogued(monkeypatch):
    monkeypatch.setattr(catalog, "names", lambda: ("intensity",))
    monkeypatch.setattr(catalog, "method_class", lambda name: IntensityMethod)
    monkeypatch.setattr(catalog, "config_class", lambda name: IntensityConfig)


def a_study(folder, seed, hot=False, constant=False):
    """A folder with a PET and its sidecar."""
    voxels = np.random.default_rng(seed).normal(2, 0.3, SHAPE).astype(np.float32)
    voxels[:, :3] = 0
    if hot:
        voxels[4:7, 8:11, 8:11] = 9
    if constant:
        voxels[:] = 1
    folder.mkdir(parents=True)
    grid = Grid.from_spacing(SHAPE, 4.0)
    write_volume(Volume(voxels, grid, Modality.PET, Unit.SUVBW, name="PET"), folder / "PET.nii.gz")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Studies, and a fitted model."""
    root = tmp_path_factory.mktemp("cli")
    healthy = [a_study(root / f"healthy{n}", n) for n in range(4)]
    a_study(root / "ill", 50, hot=True)
    a_study(root / "again" / "ill", 51, hot=True)
    a_study(root / "blank", 0, constant=True)
    save_method(IntensityMethod(IntensityConfig()).fit(healthy_cases(healthy), Run()), root / "model.safetensors")
    return root


def call(*words):
    """Exit code of ``grisaille WORDS``."""
    try:
        return main([str(word) for word in words])
    except SystemExit as left:  # argparse
        return left.code


# --- detect


def test_detect_writes_every_file_of_a_result(place, tmp_path, capsys):
    code = call("detect", place / "ill", "--method", place / "model.safetensors", "--out", tmp_path / "out")
    assert code == 0
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"anomaly.nii.gz", "labels.nii.gz", "findings.csv", "result.json"} <= names
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["findings"][0]["suv_max"] == 9
    assert record["calibration"] == {"source": "patients", "patients": 4, "per": "scan", "asked": 1.0}
    header = (tmp_path / "out" / "findings.csv").read_text().splitlines()[0]
    assert header.split(",")[: len(FINDING_COLUMNS)] == list(FINDING_COLUMNS)
    said = capsys.readouterr()
    assert "ill" in said.out
    assert "scoring slices" in said.err


def test_detect_takes_the_files_by_name_and_a_share_of_the_body(place, tmp_path, capsys):
    model, out = place / "model.safetensors", tmp_path / "out"
    pet = place / "ill" / "PET.nii.gz"
    assert call("detect", "--pet", pet, "--method", model, "--out", out, "--top", "0.02", "--json", "--seed", 4) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["study"], row["out"], row["error"]) == (str(pet), str(out), "")
    record = json.loads((out / "result.json").read_text())
    assert (record["calibration"]["per"], record["seed"]) == ("share", 4)
    assert row["findings"] == len(record["findings"]) > 0
    assert row["burden"] == record["burden"]
    assert "none: the most anomalous 0.02 of the body" in (out / "findings.csv").read_text()


def test_connectivity_is_chosen_and_written_down(place, tmp_path, capsys):
    words = ["detect", place / "ill", "--method", place / "model.safetensors", "--top", "0.02"]
    assert call(*words, "--out", tmp_path / "out", "--connectivity", "6") == 0
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["burden"]["connectivity"] == 6
    assert {one["connectivity"] for one in record["findings"]} == {6}
    assert "connectivity 6, mask as drawn" in capsys.readouterr().out
    assert call(*words, "--out", tmp_path / "no", "--connectivity", "8") == 2
    assert not (tmp_path / "no").exists()


def test_several_studies_get_a_folder_each_and_one_that_fails_is_a_row(place, tmp_path, capsys):
    studies = [place / "ill", place / "blank", place / "nowhere", place / "again" / "ill"]
    code = call("detect", *studies, "--method", place / "model.safetensors", "--out", tmp_path / "out", "--json")
    assert code == 1
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert [bool(row["error"]) for row in rows] == [False, True, True, False]
    assert "holds 1 everywhere" in rows[1]["error"]
    assert sorted(folder.name for folder in (tmp_path / "out").iterdir()) == ["ill", "ill_2"]
    assert f"grisaille: {place / 'blank'}: PET" in said.err


def test_the_table_of_several_studies_names_each_and_its_outcome(place, tmp_path, capsys):
    studies = [place / "ill", place / "blank"]
    assert call("detect", *studies, "--method", place / "model.safetensors", "--out", tmp_path / "out") == 1
    title, ill, blank, how = capsys.readouterr().out.splitlines()
    assert title.split() == ["study", "findings", "volume", "ml", "TLG", "SUVmax", "Dmax", "mm", "seconds", "result"]
    assert how == "connectivity 26, mask as drawn"
    burden = json.loads((tmp_path / "out" / "ill" / "result.json").read_text())["burden"]
    assert ill.split()[1:4] == [str(burden["findings"]), f"{burden['volume_ml']:.1f}", f"{burden['tlg']:.1f}"]
    assert str(tmp_path / "out" / "ill") in ill
    assert "failed: PET" in blank


def test_the_error_of_the_only_study_is_said_once(place, tmp_path, capsys):
    assert call("detect", place / "blank", "--method", place / "model.safetensors", "--out", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("holds 1 everywhere") == 1


@pytest.mark.parametrize("below", ["file", "file/out"])
def test_a_place_that_cannot_be_a_folder_is_refused_before_the_work(place, tmp_path, capsys, monkeypatch, below):
    monkeypatch.setattr(IntensityMethod, "score", lambda *_: pytest.fail("worked for nothing"))
    (tmp_path / "file").write_text("mine")
    assert call("detect", place / "ill", "--method", place / "model.safetensors", "--out", tmp_path / below) == 1
    assert "file is a file, not a folder; give another place" in capsys.readouterr().err


def test_results_that_are_there_are_replaced_only_when_asked(place, tmp_path, capsys):
    words = ["detect", place / "ill", "--method", place / "model.safetensors", "--out", tmp_path]
    assert call(*words) == 0
    assert call(*words) == 1
    assert "is not empty" in capsys.readouterr().err
    assert call(*words, "--overwrite", "--per", "voxel", "--false-positives", "0.1") == 0
    assert json.loads((tmp_path / "result.json").read_text())["calibration"]["per"] == "voxel"


def test_a_setting_of_the_method_is_a_flag_refused_if_the_fit_rests_on_another(place, tmp_path, capsys):
    words = ["detect", place / "ill", "--method", place / "model.safetensors", "--out", tmp_path / "out"]
    assert call(*words, "--smallest-ml", "50") == 0
    assert json.loads((tmp_path / "out" / "result.json").read_text())["findings"] == []
    assert call(*words, "--overwrite", "--smallest-ml", "5000") == 1
    assert "smallest_ml is 5000.0 ml, expected from 0 to 100 ml" in capsys.readouterr().err
    assert call(*words, "--overwrite", "--no-robust") == 0
    assert call(*words, "--overwrite", "--robust") == 1
    assert "this model was fitted with robust = False" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["detect", "--method", "intensity", "--out", "x"],
        ["detect", "a", "--pet", "b", "--method", "intensity", "--out", "x"],
        ["detect", "a", "--method", "intensity"],
        ["detect", "a", "--method", "intensity", "--out", "x", "--device", "gpu"],
        ["detect", "a", "--method", "intensity", "--out", "x", "--threads", "0"],
        ["detect", "a", "--method", "intensity", "--out", "x", "--smallest-ml", "much"],
        ["train", "intensity", "a"],
        ["train", "nonsense", "a", "--out", "x"],
        ["info"],
        ["bogus"],
        [],
    ],
)
def test_wrong_usage_ends_with_2(words, capsys):
    assert call(*words) == 2
    assert "usage: grisaille" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--method", "nowhere.safetensors"], "no model is called 'nowhere.safetensors'"),
        (["--false-positives", "-1"], "expected more than 0"),
        (["--weights", "w"], "one weights file was given, but intensity needs no weights file"),
    ],
)
def test_an_error_of_ours_is_one_sentence_and_ends_with_1(place, tmp_path, words, says, capsys):
    if "--method" not in words:
        words = [*words, "--method", place / "model.safetensors"]
    assert call("detect", place / "ill", "--out", tmp_path / "out", *words) == 1
    said = capsys.readouterr().err
    assert said.startswith("grisaille: ")
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_what_was_noted_while_scoring_and_what_was_warned_of_is_said_once_with_the_study(
    place, tmp_path, monkeypatch, capsys
):
    score = IntensityMethod.score

    def talking(method, study, run):
        run.note("took the CPU")
        return score(method, study, run)

    monkeypatch.setattr(IntensityMethod, "score", talking)
    words = ["detect", place / "ill", "--method", place / "model.safetensors", "--out", tmp_path / "out"]
    assert call(*words, "--false-positives", "0.01") == 0
    said = capsys.readouterr().err.splitlines()
    assert said.count(f"{place / 'ill'}: took the CPU") == 1
    assert sum(line.startswith(f"{place / 'ill'}: asked for 0.01 false positives per scan") for line in said) == 1


def dicom_pet(folder, change):
    """A hot PET as DICOM; ``change(image, k)`` does what it likes to its slices."""
    voxels = np.random.default_rng(50).normal(2, 0.3, SHAPE).astype(np.float32)
    voxels[:, :3] = 0
    voxels[4:7, 8:11, 8:11] = 9
    pet = Volume(voxels, Grid.from_spacing(SHAPE, 4.0), Modality.PET, Unit.SUVBW, name="PET")
    write_series(pet, Visit("test"), folder)
    for file in sorted(folder.glob("*.dcm")):
        image = pydicom.dcmread(file)
        change(image, round(float(image.ImagePositionPatient[2]) / 4))
        image.save_as(file)
    return folder


def warnings_of(out):
    return json.loads((out / "result.json").read_text())["warnings"]


def test_detect_interpolates_missing_slices_when_that_is_asked_for(place, tmp_path, capsys):
    folder = dicom_pet(tmp_path / "pet", lambda image, k: None)
    next(file for file in folder.iterdir() if pydicom.dcmread(file).ImagePositionPatient[2] == 12).unlink()
    words = ["detect", folder, "--method", place / "model.safetensors", "--out", tmp_path / "out"]
    assert call(*words) == 1
    assert "index 3 at z = 12.0 mm" in capsys.readouterr().err
    assert call(*words, "--on-irregular", "refuse") == 1
    assert call(*words, "--on-irregular", "resample") == 0
    assert any("1 interpolated, at z = 12.0 mm" in warning for warning in warnings_of(tmp_path / "out"))
    assert call(*words, "--on-irregular", "guess") == 2


def test_detect_takes_the_frame_that_is_named(place, tmp_path, capsys):
    def second(image, k):
        image.TemporalPositionIdentifier = 2
        image.SOPInstanceUID += ".2"

    folder = dicom_pet(tmp_path / "pet", lambda image, k: setattr(image, "TemporalPositionIdentifier", 1))
    dicom_pet(folder / "second", second)
    words = ["detect", folder, "--method", place / "model.safetensors", "--out", tmp_path / "out"]
    assert call(*words) == 1
    assert "frame 1: temporal position 2; choose one with frame= (--frame)" in capsys.readouterr().err
    assert call(*words, "--frame", "1") == 0
    assert call("train", "intensity", folder, "--out", tmp_path / "model.safetensors", "--frame", "7") == 1
    assert "frame 7 is not there" in capsys.readouterr().err


def test_detect_writes_the_result_of_a_tilted_series_without_shear(place, tmp_path):
    def tilt(image, k):
        x, y, z = image.ImagePositionPatient
        image.ImagePositionPatient = [x, y + 1.5 * k, z]

    folder = dicom_pet(tmp_path / "pet", tilt)
    assert call("detect", folder, "--method", place / "model.safetensors", "--out", tmp_path / "out") == 0
    labels = read_labels(tmp_path / "out" / "labels.nii.gz")
    assert labels.grid.is_orthogonal
    assert labels.ids
    assert read_file(tmp_path / "out" / "anomaly.nii.gz").grid == labels.grid
    assert any("grid without shear" in warning for warning in warnings_of(tmp_path / "out"))
    with (tmp_path / "out" / "findings.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    centre = [float(row[f"centroid_{axis}_mm"]) for axis in "spl"]
    np.testing.assert_allclose(centre, [5 * 4, 9 * 4 + 1.5 * 5, 9 * 4], atol=1.0)
    middle = labels.grid.to_mm(np.argwhere(labels.voxels == 1)).mean(axis=0)
    np.testing.assert_allclose(middle, centre, atol=1.0)
    words = ["export", tmp_path / "out", "--like", folder, "--format", "csv", "--out", tmp_path / "findings.csv"]
    assert call(*words) == 1  # straightened labels are others than those that were measured
    assert call(*words, "--edited") == 0
    with (tmp_path / "findings.csv").open(newline="") as file:
        again = next(csv.DictReader(file))
    np.testing.assert_allclose([float(again[f"centroid_{axis}_mm"]) for axis in "spl"], centre, atol=1.0)


# --- train


def test_train_writes_a_model_that_detect_takes(place, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    healthy = [place / f"healthy{n}" for n in range(3)]
    words = ["train", "intensity", *healthy, "--out", out, "--robust", "--side", "above", "--windows=-1,5"]
    assert call(*words) == 0
    assert f"fitted on 3 studies of 3 people, written to {out}" in capsys.readouterr().out
    method = load_method(out)
    assert (method.config.robust, method.config.side, method.config.windows) == (True, "above", (-1.0, 5.0))
    assert call("detect", place / "ill", "--method", out, "--out", tmp_path / "out") == 0
    assert call(*words) == 1
    assert "exists" in capsys.readouterr().err
    assert call(*words, "--overwrite", "--no-robust") == 0


def test_a_study_that_cannot_be_read_stops_the_training_and_is_named(place, tmp_path, capsys):
    assert call("train", "intensity", place / "healthy0", tmp_path, "--out", tmp_path / "m") == 1
    assert f"grisaille: {tmp_path}: " in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_a_study_that_nothing_can_be_learned_from_stops_the_training(place, tmp_path, capsys):
    assert call("train", "intensity", place / "healthy0", place / "blank", "--out", tmp_path / "m") == 1
    assert f"grisaille: {place / 'blank'}: PET 'PET" in capsys.readouterr().err


def test_help_of_train_shows_each_setting_with_its_unit_bounds_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert call("train", "intensity", "--help") == 0
    text = capsys.readouterr().out
    assert "--smallest-ml ML" in text
    assert "Smaller findings are left out; 0 to 100 ml (0)" in text
    assert "--side {both,above}" in text
    assert "--robust, --no-robust" in text
    assert "--floor FLOAT" in text
    assert "(automatic)" in text
    assert "100 % pretence" in text


def test_help_of_detect_shows_the_settings_of_the_method_named(place, capsys):
    assert call("detect", "--help") == 0
    assert "--smallest-ml" not in capsys.readouterr().out
    assert call("detect", "--method", place / "model.safetensors", "--help") == 0
    text = capsys.readouterr().out
    free, fixed = text.index("settings of intensity:"), text.index("that its fit rests on")
    assert free < text.index("  --smallest-ml") < fixed < text.index("  --robust")


# --- info


def test_info_tells_geometry_and_unit(place, capsys):
    assert call("info", place / "ill", place / "blank" / "PET.nii.gz") == 0
    text = capsys.readouterr().out
    assert text.count("12 x 16 x 16 voxels of 4.000 x 4.000 x 4.000 mm (z, y, x)") == 2
    assert "SUVbw" in text


def test_info_for_programs_has_the_fields_of_the_interface(place, tmp_path, capsys):
    (tmp_path / "PET.nii.gz").write_bytes((place / "ill" / "PET.nii.gz").read_bytes())
    assert call("info", tmp_path, "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["series"]
    wanted = {"uid", "modality", "shape_zyx", "spacing_zyx_mm", "orientation", "unit", "suv", "geometry", "warnings"}
    assert wanted <= set(one)
    assert call("info", tmp_path) == 0
    assert "unit      unknown" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8:strict"])
def test_names_that_the_screen_has_no_letters_for_are_printed_all_the_same(place, tmp_path, encoding):
    """cp1252 is what Windows gives a program whose output is piped; the other name is no UTF-8 at all."""
    name = "PET_日本.nii.gz" if encoding == "cp1252" else os.fsdecode(b"PET_\xff.nii.gz")
    try:
        (tmp_path / name).write_bytes((place / "ill" / "PET.nii.gz").read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    words = [sys.executable, "-m", "grisaille.cli.main", "info", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, env={**SOURCES, "PYTHONIOENCODING": encoding}, check=False)
    assert done.returncode == 0, done.stderr
    assert b"PET_\\u65e5" in done.stdout or b"PET_\\udcff" in done.stdout


def test_info_of_nothing_is_an_error(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("hello")
    assert call("info", tmp_path) == 1
    assert f"no images in {tmp_path.name}: 1 file skipped: 1 x not a DICOM file; expected" in capsys.readouterr().err


def test_info_shows_how_suv_came_about(capsys, monkeypatch):
    from grisaille.io import info

    suv = {
        "factor_range": [0.1, 0.2], "path": "BQML", "inputs": {"weight_kg": 70.0, "dose_bq": 3e8},
        "overrides": {"weight_kg": 70.0}, "missing": [],
    }  # fmt: skip
    entry = {
        "uid": "ab", "name": "PT series 1", "modality": "PT", "shape_zyx": None, "spacing_zyx_mm": None,
        "orientation": "", "unit": "", "suv": suv, "geometry": "not read", "warnings": ["a gap"],
    }  # fmt: skip
    refused = {**entry, "suv": {**suv, "factor_range": None, "path": "", "inputs": {}, "overrides": {}}}
    content = {"series": [entry, refused], "skipped": [{"file": "a", "reason": "b"}]}
    monkeypatch.setattr(info, "describe", lambda paths, **_: content)
    assert call("info", "x") == 0
    assert capsys.readouterr().out.splitlines() == [
        "PT series 1",
        "  SUV       BQML",
        "  factor    0.1 to 0.2",
        "  from      weight_kg 70.0, dose_bq 300000000.0",
        "  entered   weight_kg 70.0",
        "  not read  a gap",
        "PT series 1",
        "  SUV       refused",
        "  not read  a gap",
        "not read: a: b",
    ]


# --- cancelling


def test_ctrl_c_stops_at_the_next_step_ends_with_130_and_leaves_nothing(place, tmp_path, monkeypatch, capsys):
    def press_while(method, study, run):
        for _ in run.track(range(1000), "scoring slices"):
            os.kill(os.getpid(), signal.SIGINT) if _ == 2 else time.sleep(0.001)
        raise AssertionError("went on")

    monkeypatch.setattr(IntensityMethod, "score", press_while)
    before = signal.getsignal(signal.SIGINT)
    out = tmp_path / "out"
    assert call("detect", place / "ill", "--method", place / "model.safetensors", "--out", out) == 130
    assert not out.exists()
    assert signal.getsignal(signal.SIGINT) is before
    assert "press Ctrl-C again" in capsys.readouterr().err


def test_a_second_ctrl_c_stops_at_once(place, tmp_path, monkeypatch):
    def deaf(method, study, run):
        for _ in range(200):  # two signals close together may arrive as one
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        raise AssertionError("went on")

    monkeypatch.setattr(IntensityMethod, "score", deaf)
    words = ["detect", place / "ill", "--method", place / "model.safetensors", "--out", tmp_path / "out"]
    # Shells start what they run in the background with Ctrl-C ignored; here it is heard.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert call(*words) == 130
    finally:
        signal.signal(signal.SIGINT, before)


def test_main_can_be_called_beside_the_main_thread(place, capsys):
    codes = []
    caller = threading.Thread(target=lambda: codes.append(call("info", place / "ill")))
    caller.start()
    caller.join()
    assert codes == [0]


# --- faults of the machine and of ours


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (PermissionError(13, "Permission denied", "/x/y"), "grisaille: /x/y: Permission denied"),
        (OSError("odd"), "grisaille: a file: odd"),
        (MemoryError(), "grisaille: this computer's memory was not enough"),
        (KeyError("z"), "grisaille: an error inside grisaille, please report it: KeyError: 'z'"),
    ],
)
def test_whatever_goes_wrong_is_one_sentence(monkeypatch, fault, says, capsys):
    from grisaille.io import info

    def fail(paths, **_):
        raise fault

    monkeypatch.setattr(info, "describe", fail)
    assert call("info", "x") == 1
    said = capsys.readouterr().err
    assert said.startswith(says)
    assert len(said.splitlines()) == 1


def test_whoever_asks_gets_the_traceback(monkeypatch):
    from grisaille.io import info

    monkeypatch.setenv("GRISAILLE_TRACEBACK", "1")
    monkeypatch.setattr(info, "describe", lambda paths, **_: {}["missing"])
    with pytest.raises(KeyError):
        main(["info", "x"])


def test_a_reader_that_goes_away_is_no_error(place):
    command = [sys.executable, "-m", "grisaille.cli.main", "info", str(place / "ill")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=SOURCES) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 1
    assert "BrokenPipe" not in said


# --- doctor and demo


def test_doctor_reports_packages_devices_weights_and_the_desktop(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "probe_desktop", lambda: {"qt": "6.11", "opengl": {"renderer": "llvmpipe"}})
    assert call("doctor", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["packages"]["numpy"] == np.__version__
    assert report["memory_gib"]["free"] > 0
    lite0 = next(one for one in report["weights"] if one["name"] == "efficientnet-lite0")
    assert lite0["licence"] == "Apache-2.0"
    assert len(lite0["sha256"]) == 64
    assert report["desktop"] == {"qt": "6.11", "opengl": {"renderer": "llvmpipe"}}
    assert {"version", "cuda", "mps", "triton_guard"} <= set(report["torch"])
    assert call("doctor") == 0
    text = capsys.readouterr().out
    assert "qt 6.11, opengl (renderer llvmpipe)" in text
    assert f"efficientnet-lite0 (Apache-2.0): {lite0['path']}" in text


def test_doctor_says_what_is_missing(monkeypatch, capsys):
    from grisaille.core.errors import MissingDependency, MissingWeights
    from grisaille.nn import engine
    from grisaille.weights import store

    def no_torch(*packages):
        raise MissingDependency("torch is not installed")

    def no_weights(name):
        raise MissingWeights(f"{name} was not found")

    monkeypatch.setattr(doctor, "probe_desktop", lambda: {"error": "no napari"})
    monkeypatch.setattr(engine, "load_engine", no_torch)
    monkeypatch.setattr(store, "find", no_weights)
    assert call("doctor") == 0
    text = capsys.readouterr().out
    assert "torch       torch is not installed" in text
    assert "error no napari" in text
    assert "efficientnet-lite0 (Apache-2.0): not on this machine" in text


@pytest.mark.parametrize(
    ("platform", "spec", "says"),
    [("linux", None, "not installed"), ("linux", object(), "bound to itself"), ("darwin", object(), "not needed")],
)
def test_doctor_says_whether_the_guard_was_needed(monkeypatch, platform, spec, says):
    monkeypatch.setattr(doctor.sys, "platform", platform)
    monkeypatch.setattr(doctor, "find_spec", lambda name: spec)
    assert says in doctor._triton_guard()


subprocess_run = subprocess.run


def fake_program(monkeypatch, code):
    """Python code in place of the desktop's programs."""
    called = []

    def run(command, **given):
        called.append(command[1:])
        return subprocess_run([sys.executable, "-c", code], **given)

    monkeypatch.setattr(desktop.subprocess, "run", run)
    return called


@pytest.mark.parametrize(
    ("code", "report"),
    [
        ("print('noise'); print('{\"qt\":\\n \"6\"}')", {"qt": "6"}),
        ("import sys; sys.exit('no display')", {"error": "opening a window failed (exit code 1): no display"}),
        ("raise SystemExit(3)", {"error": "opening a window failed (exit code 3): it said nothing"}),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            {"error": "opening a window failed (killed by SIGSEGV): it said nothing"},
        ),
        ("print('hello')", {"error": "the window's report cannot be read: 'hello\\n'"}),
        ("pass", {"error": "the window's report cannot be read: ''"}),
    ],
)
def test_a_desktop_that_cannot_open_is_a_line_of_the_report(monkeypatch, code, report):
    called = fake_program(monkeypatch, code)
    assert desktop.probe_desktop() == report
    assert called == [["-m", "grisaille.desktop.probe"]]


@pytest.mark.screen
def test_the_desktop_here_tells_its_opengl():
    assert desktop.probe_desktop()["opengl"]["renderer"]


def test_a_desktop_that_hangs_is_a_line_of_the_report(monkeypatch):
    monkeypatch.setattr(desktop, "PROBE_SECONDS", 0.05)
    fake_program(monkeypatch, "import time; time.sleep(30)")
    assert "took more than" in desktop.probe_desktop()["error"]


def test_without_napari_the_desktop_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(desktop, "find_spec", lambda name: None)
    assert "pip install" in desktop.probe_desktop()["error"]
    assert call("demo") == 1
    assert "pip install" in capsys.readouterr().err


def test_demo_starts_the_viewer_and_returns_its_exit_code(monkeypatch, capsys):
    called = fake_program(monkeypatch, "raise SystemExit(5)")
    assert call("demo", "--screenshot", "demo.png") == 5
    assert called == [["-m", "grisaille.desktop.demo", "--screenshot", "demo.png"]]
    fake_program(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert call("demo") == 1
    assert "killed by SIGSEGV" in capsys.readouterr().err
    fake_program(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    assert call("demo") == 130


# --- what is not imported


@pytest.mark.parametrize("words", ["--help", "--version", "detect --help", "train --help", "info --help"])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys; from grisaille.cli.main import main\n"
        f"try: main({words.split()!r})\n"
        "except SystemExit as left: assert left.code == 0\n"
        "else: sys.exit('no help came')\n"
        "heavy = {'torch', 'torchvision', 'monai', 'open_clip', 'timm', 'SimpleITK', 'napari', 'qtpy'}\n"
        "sys.exit(f'imported {loaded}' if (loaded := heavy & set(sys.modules)) else 0)\n"
    )
    ended = subprocess_run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=SOURCES)
    assert ended.returncode == 0, ended.stderr


# --- organs


def put_organs(folder):
    """Two organs beside a study's PET; the hot one of ``a_study`` is ``left``."""
    voxels = np.ones(SHAPE, np.uint16)
    voxels[..., 8:] = 2
    write_labels(Labels(voxels, Grid.from_spacing(SHAPE, 4.0), {1: "right", 2: "left"}), folder / "organs.nii.gz")
    return folder


def organs_in(folder):
    with (folder / "organs.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def detect_organs(place, out, *words):
    return call("detect", *words, "--method", place / "model.safetensors", "--out", out)


def test_detect_ranks_the_organs_of_a_file_against_healthy_studies(place, tmp_path):
    healthy = [put_organs(a_study(tmp_path / f"healthy{n}", n)) for n in range(4)]
    ill = put_organs(a_study(tmp_path / "ill", 50, hot=True))
    reference = tmp_path / "reference.json"
    words = [*healthy, "--organs", "organs.nii.gz", "--write-organ-reference", reference]
    assert detect_organs(place, tmp_path / "many", *words) == 0
    assert set(organs_in(tmp_path / "many" / "healthy2")) == {"right", "left"}
    words = [ill, "--organs", ill / "organs.nii.gz", "--organ-reference", reference]
    assert detect_organs(place, tmp_path / "one", *words) == 0
    organs = organs_in(tmp_path / "one")
    assert list(organs) == ["left", "right"]
    assert organs["left"]["percentile"] == "80"  # above all four, itself counted
    assert (tmp_path / "one" / "organ_z.nii.gz").is_file()
    assert detect_organs(place, tmp_path / "edge", *words, "--organ-edge", "4") == 1
    assert not (tmp_path / "edge").exists()  # refused before the work


def test_a_reference_that_is_there_is_not_written_over_unasked(place, tmp_path, capsys):
    kept = tmp_path / "healthy.json"
    kept.write_text("kept")
    words = [put_organs(a_study(tmp_path / "good", 1)), "--organs", "organs.nii.gz", "--write-organ-reference", kept]
    assert detect_organs(place, tmp_path / "out", *words) == 1
    assert "healthy.json is there already" in capsys.readouterr().err
    assert kept.read_text() == "kept"
    assert not (tmp_path / "out").exists()


def test_detect_cuts_each_organ_by_its_own_scores(place, tmp_path, capsys):
    ill = put_organs(a_study(tmp_path / "ill", 50, hot=True))
    words = [ill, "--organs", "organs.nii.gz", "--top", "0.01"]
    assert detect_organs(place, tmp_path / "body", *words) == 0
    assert detect_organs(place, tmp_path / "each", *words, "--per", "organ") == 0
    organs = read_labels(ill / "organs.nii.gz").voxels
    whole, each = (read_labels(tmp_path / out / "labels.nii.gz").voxels > 0 for out in ("body", "each"))
    assert not whole[organs == 1].any()
    assert each[organs == 1].any()
    assert detect_organs(place, tmp_path / "none", ill, "--top", "0.01", "--per", "organ") == 2
    assert "--per organ needs --top and --organs" in capsys.readouterr().err


def test_detect_ranks_organs_by_thresholds_and_without_being_asked_none(place, tmp_path):
    assert detect_organs(place, tmp_path / "asked", place / "ill", "--organs", "thresholds") == 0
    assert list(organs_in(tmp_path / "asked")) == ["body"]
    assert detect_organs(place, tmp_path / "not", place / "ill") == 0
    assert not (tmp_path / "not" / "organs.csv").exists()


def test_organs_that_are_not_there_fail_their_study_only(place, tmp_path, capsys):
    good, bad = put_organs(a_study(tmp_path / "good", 1)), a_study(tmp_path / "bad", 2)
    assert detect_organs(place, tmp_path / "out", good, bad, "--organs", "organs.nii.gz") == 1
    assert "organs.nii.gz is not there" in capsys.readouterr().err
    assert organs_in(tmp_path / "out" / "good")


def test_flags_of_organs_without_organs_are_wrong_usage(place, tmp_path, capsys):
    assert detect_organs(place, tmp_path / "out", place / "ill", "--organ-edge", "4") == 2
    assert "need --organs" in capsys.readouterr().err


def test_one_file_cannot_be_the_organs_of_several_studies(place, tmp_path, capsys):
    file = put_organs(tmp_path) / "organs.nii.gz"
    assert detect_organs(place, tmp_path / "out", place / "ill", place / "healthy0", "--organs", file) == 1
    assert "cannot be the organs of 2 studies" in capsys.readouterr().err
