"""Progress, cancelling, and settings that are written once."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum

import pytest

from grisaille.core.config import Config, knob, knobs
from grisaille.core.errors import Cancelled, ConfigError
from grisaille.core.run import Progress, Run


class Plane(StrEnum):
    AXIAL = "axial"
    CORONAL = "coronal"


@dataclass(frozen=True)
class Settings(Config):
    plane: Plane = knob(Plane.AXIAL, "Which slices.")
    spacing_mm: float = knob(3.0, "Voxel size.", low=0.5, high=20, unit="mm")
    batch: int = knob(8, "Slices at once.", low=1, advanced=True)
    fast: bool = knob(False, "Skip the slow part.")
    levels: tuple[int, ...] = knob((2, 3), "Feature levels.", low=0, high=8)
    keep: float | None = knob(None, "Share of variance kept.", low=0, high=1)


def test_progress_counts_steps_and_estimates_what_is_left() -> None:
    seen: list[Progress] = []
    assert list(Run(on_progress=seen.append).track("abc", "letters")) == ["a", "b", "c"]
    assert [(step.done, step.total) for step in seen] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert seen[0].seconds_left is None
    assert seen[-1].seconds_left == 0


def test_progress_of_an_endless_loop_has_no_total() -> None:
    seen: list[Progress] = []
    list(Run(on_progress=seen.append).track(iter("ab"), "letters"))
    assert seen[-1].total is None
    assert seen[-1].seconds_left is None


def test_a_cancelled_run_stops_before_the_next_step() -> None:
    done: list[str] = []
    run = Run(is_cancelled=lambda: len(done) == 2)
    with pytest.raises(Cancelled):
        done.extend(run.track("abcd", "letters"))
    assert done == ["a", "b"]


def test_notes_reach_who_listens() -> None:
    heard: list[str] = []
    Run(on_note=heard.append).note("using the CPU")
    Run().note("nobody listens")
    assert heard == ["using the CPU"]


def test_settings_come_back_from_plain_values() -> None:
    made = Settings(plane="coronal", spacing_mm=2, levels=[4, 5], keep=0.9)
    assert made.plane is Plane.CORONAL
    assert made.levels == (4, 5)
    assert Settings.from_mapping(made.to_mapping()) == made


def test_settings_come_from_toml() -> None:
    assert Settings.from_mapping(tomllib.loads('plane = "coronal"\nlevels = [1]')).levels == (1,)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"plane": "oblique"}, "plane is 'oblique', expected one of axial, coronal"),
        ({"spacing_mm": 0.1}, "spacing_mm is 0.1 mm, expected from 0.5 to 20 mm"),
        ({"spacing_mm": float("nan")}, "expected from"),
        ({"batch": 2.5}, "batch is 2.5, expected a value of type int"),
        ({"batch": True}, "batch is True"),
        ({"fast": 1}, "fast is 1, expected a value of type bool"),
        ({"levels": (2, 9)}, "levels is 9"),
        ({"sizing": 1}, "unknown setting sizing; known are batch, fast"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_was_expected(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Settings.from_mapping(values)


def test_knobs_tell_forms_and_flags_what_they_need() -> None:
    by_name = {one.name: one for one in knobs(Settings)}
    assert list(by_name) == ["plane", "spacing_mm", "batch", "fast", "levels", "keep"]
    assert by_name["plane"].kind is Plane
    assert (by_name["spacing_mm"].low, by_name["spacing_mm"].high, by_name["spacing_mm"].unit) == (0.5, 20, "mm")
    assert by_name["batch"].advanced
    assert (by_name["levels"].kind, by_name["levels"].element) == (tuple, int)
    assert by_name["keep"].optional
    assert by_name["keep"].kind is float
