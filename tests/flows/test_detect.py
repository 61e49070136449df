"""Detecting: the threshold asked for, the provenance, what is refused, and labelling again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import grisaille
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import Cancelled, ConfigError, OutputError, SuvRefused, UnknownUnit, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.result import SYNTHETIC_CAVEAT, Asked
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, Source, SourceFormat, SuvRecord, Unit, Volume, VolumeProvenance
from grisaille.flows.calibrate import calibrate
from grisaille.flows.detect import asked_for, detect, relabel
from grisaille.flows.train import train
from grisaille.methods import catalog
from intensity_method import IntensityConfig, IntensityMethod, Side

SHAPE = (12, 16, 16)


def pet_of(voxels, **given):
    given = {"modality": Modality.PET, "unit": Unit.SUVBW, "name": "PET", **given}
    return Volume(np.asarray(voxels, dtype=np.float32), Grid.from_spacing(np.shape(voxels), 4.0), **given)


def healthy(seed):
    voxels = np.random.default_rng(seed).normal(2, 0.3, SHAPE)
    voxels[:, :3] = 0  # air
    return Study.of(pet_of(voxels), patient=f"p{seed}")


def ill(seed=99):
    study = healthy(seed)
    voxels = np.array(study.pet.voxels)
    voxels[4:7, 8:11, 8:11] = 9
    voxels[9, 12, 4] = 7
    source = Source(SourceFormat.NIFTI, name="PET.nii.gz", series="abc")
    record = SuvRecord("BQML, decay START", (0.1, 0.2), overrides={"weight_kg": 70.0})
    pet = pet_of(voxels, source=source, provenance=VolumeProvenance(suv=record, warnings=("one gap",)))
    return Study.of(pet, patient="ill")


@pytest.fixture(autouse=True)
def catalogued(monkeypatch):
    monkeypatch.setattr(catalog, "names", lambda: ("intensity",))
    monkeypatch.setattr(catalog, "method_class", lambda name: IntensityMethod)
    monkeypatch.setattr(catalog, "config_class", lambda name: IntensityConfig)


@pytest.fixture(scope="module")
def method():
    cases = [Case(lambda n=n: healthy(n), f"p{n}", healthy=True) for n in range(6)]
    return IntensityMethod.create(IntensityConfig(), {}).fit(cases, Run())


def test_a_hot_spot_is_found_measured_and_numbered_by_its_score(method):
    result = detect(ill(), method)
    first, second = result.findings
    assert (first.suv_max, second.suv_max) == (9, 7)
    assert first.volume_ml == pytest.approx(27 * 0.064)
    assert first.score > second.score > 0
    assert result.labels.ids == (1, 2)
    assert result.labels.source.series == "abc"


def test_the_provenance_is_enough_to_run_it_again(method):
    how = detect(ill(), method, false_positives=2.0, run=Run(device="cpu", seed=3)).provenance
    assert (how.grisaille, how.method, how.device, how.seed) == (grisaille.__version__, "intensity", "cpu", 3)
    assert how.config == method.config.to_mapping()
    assert how.series == {"pet": "abc"}
    assert how.grid == str(ill().reference)
    assert how.suv == {"factor_range": (0.1, 0.2), "path": "BQML, decay START", "overrides": {"weight_kg": 70.0}}
    assert (how.calibration_source, how.calibration_patients) == (CalibrationSource.PATIENTS, 6)
    assert how.asked == Asked(2.0, Per.SCAN)
    assert how.warnings == ("one gap",)
    assert list(how.seconds) == ["score", "label", "measure"]
    assert {"python", "numpy", "cc3d"} <= set(how.versions)


class Networked(IntensityMethod):
    """Its network finds no memory on the first device, and some on the CPU."""

    def score(self, study, run):
        torch = pytest.importorskip("torch")
        from grisaille.nn.device import in_batches

        def forward(images):
            if self.config.side is Side.ABOVE and images.is_meta and not images.shape[-1] % 2:
                raise torch.OutOfMemoryError
            return len(images)

        def push(size):
            images = [torch.zeros(3, 4, size)] * 2
            list(in_batches(images, forward, batch=1, run=run, what="", device=torch.device("meta")))

        push(5)
        push(4)
        return super().score(study, run)


@pytest.mark.parametrize(("side", "device"), [(Side.BOTH, "meta"), (Side.ABOVE, "meta, cpu")])
def test_the_device_is_what_the_networks_really_ran_on_and_not_what_was_asked(method, side, device):
    heard = []
    networked = Networked(IntensityConfig(side=side), method.mean, method.std, method.calibration)
    result = detect(ill(), networked, run=Run(device="cuda", on_device=heard.append))
    assert result.provenance.device == device
    assert list(dict.fromkeys(heard)) == device.split(", ")


def test_the_device_of_a_method_without_a_network_is_the_cpu_whatever_was_asked(method):
    assert detect(ill(), method, run=Run(device="cuda")).provenance.device == "cpu"


def test_detecting_twice_gives_the_same(method):
    one, two = detect(ill(), method), detect(ill(), method)
    assert np.array_equal(one.anomaly.scores, two.anomaly.scores)
    assert one.findings == two.findings


def test_notes_said_while_scoring_reach_the_user_and_the_provenance(method):
    class Talking(IntensityMethod):
        def score(self, study, run):
            run.note("took the CPU")
            return super().score(study, run)

    heard = []
    talking = Talking(method.config, method.mean, method.std, method.calibration)
    result = detect(ill(), talking, run=Run(on_note=heard.append))
    assert heard == ["took the CPU"]
    assert "took the CPU" in result.provenance.warnings


def test_less_than_the_scans_can_promise_is_said(method):
    (_, warning) = detect(ill(), method, false_positives=0.001).provenance.warnings
    assert warning == (
        "asked for 0.001 false positives per scan, but 6 healthy scans promise 0.14 at the least; "
        "the highest cut was used"
    )


def test_a_promise_on_phantoms_is_said(method):
    synthetic = replace(method, calibration=replace(method.calibration, source=CalibrationSource.SYNTHETIC))
    assert SYNTHETIC_CAVEAT in detect(ill(), synthetic).provenance.warnings
    assert SYNTHETIC_CAVEAT not in detect(ill(), synthetic, top=0.01).provenance.warnings


def test_a_method_without_calibration_makes_no_label_until_a_share_is_asked(method):
    bare = replace(method, calibration=Calibration.none())
    result = detect(ill(), bare)
    assert result.findings == ()
    assert any("never calibrated" in warning for warning in result.provenance.warnings)
    share = detect(ill(), bare, top=0.012)
    assert share.findings[0].suv_max == 9
    assert share.provenance.asked == Asked(0.012, Per.SHARE)
    assert share.provenance.warnings == ("one gap",)
    again = relabel(result, ill(), bare, 0.012, "share")
    assert again.findings == share.findings
    assert again.provenance.warnings == ("one gap",)


def test_labelling_again_is_detecting_at_the_other_threshold(method):
    before = detect(ill(), method, false_positives=0.001)
    again, whole = (
        relabel(before, ill(), method, 0.05, "voxel"),
        detect(ill(), method, false_positives=0.05, per="voxel"),
    )
    assert again.findings == whole.findings
    assert len(again.findings) > len(before.findings)
    assert np.array_equal(again.labels.voxels, whole.labels.voxels)
    assert again.anomaly is before.anomaly
    assert (again.provenance.asked, again.provenance.warnings) == (Asked(0.05, Per.VOXEL), ("one gap",))


@pytest.mark.parametrize(
    ("amount", "per", "top", "says"),
    [
        (0, "scan", None, "expected more than 0"),
        (float("nan"), "scan", None, "expected more than 0"),
        (1, "patient", None, "per is 'patient', expected one of scan, voxel, share"),
        (2, "voxel", None, "share between 0 and 1"),
        (1, "scan", 1.5, "share between 0 and 1"),
        (1, "scan", -1, "expected more than 0"),
    ],
)
def test_a_senseless_threshold_is_refused(amount, per, top, says):
    with pytest.raises(ConfigError, match=says):
        asked_for(amount, per, top)


def test_a_senseless_threshold_is_refused_before_the_long_work(method):
    class Never(IntensityMethod):
        def score(self, study, run):
            raise AssertionError("scored")

    with pytest.raises(ConfigError):
        detect(ill(), Never(method.config), false_positives=-1)


def test_cancelling_ends_a_detection(method):
    with pytest.raises(Cancelled):
        detect(ill(), method, run=Run(is_cancelled=lambda: True))


def ct_only():
    return Study.of(Volume(np.zeros(SHAPE), Grid.from_spacing(SHAPE, 4.0), Modality.CT, Unit.HU))


def refused_pet():
    record = SuvRecord("", None, refused="PET.dcm has no PatientWeight (0010,1030); give it")
    return pet_of(np.ones(SHAPE), unit=Unit.BQML, provenance=VolumeProvenance(suv=record))


@pytest.mark.parametrize(
    ("study", "error", "says"),
    [
        (ct_only(), UnsuitableVolume, "the study holds CT, the model knows PET; give it one of these"),
        (Study.of(pet_of(np.full(SHAPE, 3.0))), UnsuitableVolume, "PET 'PET' holds 3 everywhere"),
        (
            Study.of(pet_of(np.ones((1, 9, 9)), name="")),
            UnsuitableVolume,
            "the PET has 1 x 9 x 9 voxels, expected at least 4",
        ),
        (Study.of(pet_of(np.ones((1, 1, 3)))), UnsuitableVolume, "1 x 1 x 3 voxels"),
        (Study.of(pet_of(np.where(np.indices(SHAPE)[0] == 3, np.nan, 1))), UnsuitableVolume, "not finite"),
        (Study.of(refused_pet()), SuvRefused, "no PatientWeight"),
        (Study.of(pet_of(np.ones(SHAPE), unit=Unit.BQML)), UnknownUnit, "is in Bq/ml, expected SUVbw"),
        (Study.of(pet_of(np.ones(SHAPE), unit=Unit.SUL)), UnknownUnit, "is in SUL, expected SUVbw; give a PET that is"),
        (Study.of(pet_of(np.ones(SHAPE), unit=Unit.NONE)), UnknownUnit, "is in no unit, expected SUVbw"),
    ],
)
def test_a_study_that_cannot_be_judged_is_refused_with_a_sentence(method, study, error, says):
    with pytest.raises(error, match=says):
        detect(study, method)


def test_a_volume_that_the_method_does_not_look_at_may_be_anything(method):
    pet = ill().pet
    blank = Volume(np.zeros((1, 1, 1)), Grid.from_spacing((1, 1, 1), 1.0), Modality.CT, Unit.HU)
    assert detect(Study.of(pet, blank), method).findings


# --- train and calibrate


def cases(*seeds, **given):
    return [Case(lambda n=n: healthy(n), f"p{n}", **given) for n in seeds]


def test_a_model_that_could_not_be_written_is_refused_before_the_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(IntensityMethod, "fit", lambda *_: pytest.fail("worked for nothing"))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a folder, expected the name of a file"):
        train("intensity", cases(1, 2), out=tmp_path)
    with pytest.raises(OutputError, match="file is a file, not a folder"):
        train("intensity", cases(1, 2), out=tmp_path / "file" / "model.safetensors")


def test_training_gives_a_calibrated_method_that_finds(tmp_path):
    method = train("intensity", cases(1, 2, 3), config=IntensityConfig(robust=True), out=tmp_path / "m.safetensors")
    assert method.config.robust
    assert method.calibration.patients == 3
    assert detect(ill(), method).findings
    assert (tmp_path / "m.safetensors").is_file()


def test_training_without_settings_takes_the_defaults():
    assert train("intensity", cases(1, 2)).config == IntensityConfig()


def test_calibrating_measures_the_promise_on_the_cases_given(method):
    own = calibrate(method, cases(20, 21, 22, healthy=True))
    assert own.calibration.patients == 3
    assert (own.mean, own.std) == (method.mean, method.std)


LEARN = (lambda c: train("intensity", c), lambda c: calibrate(IntensityMethod(IntensityConfig()), c))


@pytest.mark.parametrize("learn", LEARN)
def test_lesions_and_nothing_are_refused_as_healthy(learn):
    truth = replace(detect(ill(), IntensityMethod(IntensityConfig()), top=0.01).labels)
    with pytest.raises(ConfigError, match="no healthy case"):
        learn([])
    with pytest.raises(ConfigError, match="case 2 of 2 holds lesions"):
        learn([*cases(1), *cases(2, healthy=False)])
    with pytest.raises(ConfigError, match="case 1 of 1 holds lesions"):
        learn(cases(1, truth=truth))


@pytest.mark.parametrize("learn", LEARN)
def test_a_case_that_nothing_can_be_learned_from_is_named(learn):
    blank = Case(lambda: Study.of(pet_of(np.full(SHAPE, 2.0))), "blank")
    with pytest.raises(UnsuitableVolume, match="case 2 of 2: PET 'PET' holds 2 everywhere"):
        learn([*cases(1), blank])


def test_settings_of_another_method_are_refused():
    from grisaille.core.config import Config

    with pytest.raises(ConfigError, match="takes settings of IntensityConfig, found Config"):
        train("intensity", cases(1), config=Config())


def test_a_cancelled_training_writes_nothing(tmp_path):
    with pytest.raises(Cancelled):
        train("intensity", cases(1, 2), out=tmp_path / "m", run=Run(is_cancelled=lambda: True))
    assert not list(tmp_path.iterdir())


class Refining(IntensityMethod):
    """Gives a map of half the slices before the whole one."""

    def refine(self, study, run):
        run.note("a note")
        whole = self.score(study, run)
        coarse = whole.scores.copy()
        coarse[1::2] = coarse[::2]
        yield replace(whole, scores=coarse, incomplete="every 2nd slice only")
        run.note("a note")
        yield whole


def test_a_preview_says_what_is_missing_and_the_last_result_is_the_whole_one(method) -> None:
    given = {name: getattr(method, name) for name in ("config", "mean", "std", "calibration", "weights")}
    previews = []
    result = detect(ill(), Refining(**given), on_preview=previews.append)
    (preview,) = previews
    assert any("incomplete (every 2nd slice only)" in warning for warning in preview.provenance.warnings)
    assert not any("incomplete" in warning for warning in result.provenance.warnings)
    assert result.provenance.warnings.count("a note") == 1
    np.testing.assert_array_equal(result.anomaly.scores, detect(ill(), method).anomaly.scores)
    assert result.findings
