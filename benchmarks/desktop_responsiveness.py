"""How the viewer feels: start, a run, cancelling it, the slider, and a brush stroke.

    python benchmarks/desktop_responsiveness.py [--method mvg | autopaint | anomalyclip] [--model REF]
                                                [--sample NAME] [--device cpu]

Measured on a real window (under Xvfb where there is no display):

- plugin discovery by npe2 with and without grisaille, and the heavy packages present after the
  panel was opened;
- the longest time between two turns of the event loop while a sample is scored, apart from the
  first import of the AI stack, and the time from Cancel to the end of the run;
- from a move of the threshold slider to new labels, and to their measured table, on the sample and on a
  whole-body PET of 267 x 128 x 128 voxels: the real one where it is, else one drawn;
- from the end of a brush stroke to the measured table.

Of the others, only what differs. AutoPaint: the run, cancelling it, and painting a finding over again. AnomalyCLIP:
when its coarse map and its whole one are there, in runs that look at every slice and in one that finds them looked at;
the pauses between and while they are drawn; cancelling, and what then stays; and the memory of the process.
The asked figures stand beside. Writes ``results/desktop_responsiveness[_METHOD].{json,md}``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from screen import refining
from screen.heart import Heart, turn, wait
from screen.whole_body import drawn_whole_body

RESULTS = Path(__file__).parent / "results"
ENGINES = {
    "mvg": ("torch", "torchvision", "timm"),
    "autopaint": ("torch", "monai"),
    "anomalyclip": ("torch", "open_clip"),
}
MODELS = {"mvg": "mvg/phantom", "autopaint": "autopaint/phantom", "anomalyclip": "anomalyclip/demo"}
HEAVY = ("torch", "torchvision", "monai", "open_clip", "timm", "SimpleITK")
REAL_DATA = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
REAL_PET = REAL_DATA / "sarcoma" / "STS_001" / "wholebody_pet_dicom"


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    seen: str
    asked: str = ""


def discovery() -> list[Figure]:
    """In processes of their own, as a start of napari is."""
    program = """
import json, time
from npe2 import PluginManager
manager = PluginManager()
started = time.perf_counter()
manager.discover()
seconds = time.perf_counter() - started
print(json.dumps([seconds, [one.name for one in manager.iter_manifests()]]))
"""
    seen: dict[bool, list[float]] = {True: [], False: []}
    names: list[str] = []
    for _ in range(9):
        for is_there in (True, False):
            code = program if is_there else program.replace("manager = PluginManager()", _WITHOUT)
            seconds, found = json.loads(_ask(code))
            seen[is_there].append(seconds)
            names = found if is_there else names
    with_it, without = (1000 * min(seen[one]) for one in (True, False))
    return [
        Figure("plugins found", ", ".join(names)),
        Figure("discovery with grisaille, least of 9", f"{with_it:.1f} ms"),
        Figure("discovery without it", f"{without:.1f} ms"),
        Figure("what grisaille adds", f"{with_it - without:.1f} ms", "< 25 ms"),
    ]


_WITHOUT = """
from importlib import metadata
_all = metadata.distributions
metadata.distributions = lambda **how: (one for one in _all(**how) if not one._path.name.startswith("napari_grisaille"))
manager = PluginManager()
"""


def start() -> list[Figure]:
    """A viewer with the panel opened, and what it loaded."""
    program = f"""
import json, sys, time
import napari
from npe2 import PluginManager
viewer = napari.Viewer()
PluginManager.instance().discover()
started = time.perf_counter()
from grisaille.desktop.contributions import MVG
viewer.window.add_dock_widget(MVG(viewer), name="MVG")
seconds = time.perf_counter() - started
print(json.dumps([seconds, [name for name in {HEAVY} if name in sys.modules]]))
"""
    seconds, loaded = json.loads(_ask(program))
    return [
        Figure("opening the panel", f"{1000 * seconds:.0f} ms"),
        Figure("heavy packages loaded by then", ", ".join(loaded) or "none", "none"),
    ]


def in_the_window(method: str, model: str, sample: str, device: str) -> list[Figure]:
    """Everything that is measured in one window."""
    import napari

    from grisaille.desktop import layers
    from grisaille.desktop.contributions import MVG, AnomalyCLIP, AutoPaint
    from grisaille.desktop.maker import Model
    from grisaille.flows import samples

    viewer = napari.Viewer()
    viewer.window.resize(1500, 950)
    study = samples.study(sample)
    layers.add_study(viewer, study)
    panel = {"mvg": MVG, "autopaint": AutoPaint, "anomalyclip": AnomalyCLIP}[method](viewer)
    panel.face.models.add(Model(model, model))
    panel.face.device.setCurrentText(device)
    viewer.window.add_dock_widget(panel, name=method, area="right")
    heart = Heart()
    turn(0.5)
    figures = first_import(heart, ENGINES[method])
    if method == "anomalyclip":
        figures += refined(viewer, panel, heart)
    else:
        figures += [*a_run(panel, heart, "first"), *a_run(panel, heart, "second"), *cancelling(panel)]
    if method == "mvg":
        figures += [*slider(viewer, f"{sample}, {study.reference}"), *stroke(viewer)]
        figures += whole_body(viewer, panel)
    elif method == "autopaint":
        figures += a_repaint(viewer, heart)
    viewer.close()
    return figures


def first_import(heart: Heart, engine: tuple[str, ...]) -> list[Figure]:
    """The AI stack, imported on a worker thread: the one long pause, as imports hold Python's lock."""
    from grisaille.core.run import Run
    from grisaille.desktop.job import Job

    job = Job(Run(), "import", engine)
    heart.restart()
    started = time.perf_counter()
    job.start(lambda run: None)
    wait(lambda: not job.is_running)
    return [
        Figure("first import of the AI stack", f"{time.perf_counter() - started:.1f} s"),
        Figure("longest pause of the event loop during it", f"{1000 * heart.longest_s:.0f} ms"),
    ]


def a_run(panel: Any, heart: Heart, which: str) -> list[Figure]:
    """The whole of a run, with the result put on the screen measured apart.

    The first one still imports the method itself and what it rests on.
    """
    pauses: list[float] = []

    def done(_: object) -> None:
        pauses.append(heart.longest_s)
        heart.restart()

    heart.restart()
    started = time.perf_counter()
    panel.run()
    panel._job.finished.disconnect(panel._on_finished)
    panel._job.finished.connect(done)
    panel._job.finished.connect(panel._on_finished)
    wait(lambda: not panel.is_running)
    turn(0.3)
    if not panel.has_result:
        raise SystemExit(f"the run failed: {panel.face.status.line.text()}")
    return [
        Figure(f"{which} run", f"{time.perf_counter() - started:.1f} s; {panel.face.status.line.text()}"),
        Figure(
            "longest pause of the event loop during it",
            f"{1000 * pauses[0]:.0f} ms",
            "< 100 ms" if which == "second" else "",
        ),
        Figure("longest pause while its result is drawn", f"{1000 * heart.longest_s:.0f} ms"),
    ]


def refined(viewer: Any, panel: Any, heart: Heart) -> list[Figure]:
    """Runs with a coarse map first: two that look at every slice, one that finds them looked at, and cancelled ones."""
    figures, whole_s = [], 0.0
    with tempfile.TemporaryDirectory(prefix="grisaille-") as kept:
        refining.keep_features_in(Path(kept))
        for which, asked in (("first run", ""), ("second run", "< 100 ms"), ("run on kept features", "< 100 ms")):
            if which == "second run":
                refining.forget_features(Path(kept))
            told = refining.a_run(panel, heart)
            whole_s = max(whole_s, told.came_s[-1])
            figures += [
                Figure(f"{which}: coarse map, then whole", f"{told.came_s[0]:.1f} s, {told.came_s[-1]:.1f} s"),
                Figure("longest pause of the event loop between them", f"{1000 * max(told.working_s):.0f} ms", asked),
                Figure("longest pause while one is drawn", f"{1000 * max(told.drawing_s):.0f} ms"),
            ]
        seconds = refining.cancelled(panel, whole_s, (0.03, 0.2, 0.4, 0.6, 0.8), Path(kept))
        stays, said = refining.cancelled_after_preview(viewer, panel, Path(kept))
    peak = refining.peak_mb()
    return [
        *figures,
        Figure(f"from Cancel to the end, longest of {len(seconds)}", f"{1000 * max(seconds):.0f} ms", "< 500 ms"),
        Figure("the map that stays after Cancel is marked", f"{stays or 'not'}; {said}", "every nth slice only"),
        Figure("peak memory of the process", "not told" if peak is None else f"{peak:.0f} MB"),
    ]


def cancelling(panel: Any) -> list[Figure]:
    """Cancel in the middle of scoring, five times."""
    seconds = []
    bar = panel.face.status.bar
    for share in (0.02, 0.05, 0.1, 0.15, 0.2):
        panel.run()
        wait(lambda share=share: bar.maximum() > 8 and bar.value() >= share * bar.maximum())
        started = time.perf_counter()
        panel.cancel()
        wait(lambda: not panel.is_running)
        seconds.append(time.perf_counter() - started)
    return [Figure("from Cancel to the end, longest of 5", f"{1000 * max(seconds):.0f} ms", "< 500 ms")]


def a_repaint(viewer: Any, heart: Heart) -> list[Figure]:
    """Findings of the last run, from "Repaint here" to the new layers."""
    from grisaille.desktop.review import review_of

    review = review_of(viewer)
    seconds, pauses, sizes = [], [], []
    for _ in review.table.findings[:3]:
        review.table.step(1)
        turn(0.3)
        sizes.append(review.table.current.volume_ml)
        heart.restart()
        started = time.perf_counter()
        review.repaint()
        wait(lambda: not review.repainting.is_running)
        seconds.append(time.perf_counter() - started)
        turn(0.3)
        pauses.append(heart.longest_s)
    volumes = ", ".join(f"{volume:.1f}" for volume in sizes)
    return [
        Figure(f"repaint here, findings of {volumes} ml", ", ".join(f"{one:.1f} s" for one in seconds)),
        Figure("longest pause of the event loop from the press to the new layers", f"{1000 * max(pauses):.0f} ms"),
    ]


def slider(viewer: Any, where: str) -> list[Figure]:
    """Each position of the slider from end to end, and back by the mouse's leaps."""
    from grisaille.desktop.review import review_of

    review = review_of(viewer)
    labelled, measured, most = [], [], 0
    for step in [*range(0, 401, 20), 300, 40, 200, 0, 120]:
        told: list[object] = []
        review._relabeller.relabelled.connect(told.append)
        started = time.perf_counter()
        review.threshold._slider.setValue(step)
        wait(lambda told=told: bool(told))
        labelled.append(1000 * (time.perf_counter() - started))
        wait(lambda: review._book.current._job is None)
        measured.append(1000 * (time.perf_counter() - started))
        most = max(most, len(review.table.findings))
        review._relabeller.relabelled.disconnect(told.append)
        turn(0.1)
    return [
        Figure(f"slider to labels: {where}", _spread(labelled), "< 100 ms"),
        Figure(f"slider to the measured table, up to {most} findings", _spread(measured)),
    ]


def _spread(milliseconds: list[float]) -> str:
    return f"median {statistics.median(milliseconds):.0f} ms, longest {max(milliseconds):.0f} ms"


def stroke(viewer: Any) -> list[Figure]:
    """From the end of a stroke to the measured table."""
    import numpy as np

    from grisaille.desktop.review import review_of

    review = review_of(viewer)
    layer = review.labels_layer
    middle = np.asarray(layer.data.shape) // 2
    ball = np.argwhere(np.ones((1, 7, 7))) + middle - (0, 3, 3)
    layer.data_setitem(tuple(ball.T), 999)
    started = time.perf_counter()
    wait(lambda: any(one.edited for one in review.table.findings))
    return [Figure("from a stroke to the measured table", f"{time.perf_counter() - started:.2f} s", "< 1 s")]


def whole_body(viewer: Any, panel: Any) -> list[Figure]:
    """The slider on the real whole-body PET, where it is; else on one of the same grid with round lesions."""
    from grisaille.core.volume import Modality
    from grisaille.desktop import layers
    from grisaille.desktop.repaint_bar import Source
    from grisaille.desktop.review import review_of
    from grisaille.io.study import read_study

    viewer.layers.clear()
    if not REAL_PET.is_dir():
        result, study = drawn_whole_body(review_of(viewer).result, review_of(viewer).source.method)
        layers.add_study(viewer, study)
        review_of(viewer).show_result(result, Source(study, review_of(viewer).source.method))
    else:
        study = read_study(REAL_PET)
        layers.add_study(viewer, study)
        panel.face.choosers[Modality.PET.key].choose(viewer.layers[-1])
        panel.run()
        wait(lambda: not panel.is_running)
    turn(0.5)
    where = f"{'real' if REAL_PET.is_dir() else 'drawn'} whole body, {study.reference}"
    return [*slider(viewer, where), *stroke(viewer)]


def _ask(program: str) -> str:
    """The last line that ``program`` prints, from a Python of its own."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return ended.stdout.splitlines()[-1]


def table(figures: list[Figure], conditions: str) -> str:
    """As Markdown."""
    rows = "\n".join(f"| {one.what} | {one.seen} | {one.asked} |" for one in figures)
    return f"{conditions}\n\n| what | seen | asked |\n|---|---|---|\n{rows}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=tuple(ENGINES), default="mvg")
    parser.add_argument("--model", help="of the method; the one that ships if not given")
    parser.add_argument("--sample", default="petct_lesions_1")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY") and shutil.which("xvfb-run"):
        again = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", sys.executable, *sys.argv]
        return subprocess.run(again, check=False).returncode
    model = arguments.model or MODELS[arguments.method]
    is_mvg = arguments.method == "mvg"
    figures = [*discovery(), *start()] if is_mvg else []
    figures += in_the_window(arguments.method, model, arguments.sample, arguments.device)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    conditions = f"{os.cpu_count()} cores{load}; model {model}, sample {arguments.sample}, {arguments.device}"
    RESULTS.mkdir(exist_ok=True)
    text = table(figures, conditions)
    name = "desktop_responsiveness" if is_mvg else f"desktop_responsiveness_{arguments.method}"
    (RESULTS / f"{name}.md").write_text(text, "utf-8")
    content = {"conditions": conditions, "figures": [asdict(one) for one in figures]}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
