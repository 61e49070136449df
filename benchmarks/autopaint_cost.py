"""What AutoPaint costs on a real whole-body PET: passes, seconds, memory, and the waits of whoever reads it.

    python benchmarks/autopaint_cost.py [PATIENT] [--model autopaint/phantom]

One CPU thread. A pass is one slab with one hole through the network, in our loop and, for comparison, in
the published one with the same network; rows marked as published were read, not measured here.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from reporting.tables import markdown, write

import grisaille as gr
from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import Per
from grisaille.core.errors import Cancelled
from grisaille.core.run import Progress, Run
from grisaille.core.study import Study
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.method import AutoPaint
from grisaille.methods.autopaint.painting import Hole, Kept, Patch, slabs
from grisaille.methods.autopaint.published.counting import CountingPainter
from grisaille.methods.autopaint.published.loop import STEP_MM, published_score

RUN = Run(device="cpu", threads=1)
RATES = (0.5, 2.0, 4.0, 1.0)
"""False positives a scan that the threshold is moved to; the findings repainted are those of the last."""

CANCELLED_AT = (0.01, 0.05, 0.1)
"""Shares of a run after which it is cancelled; the first falls into the making of the working frame."""

Row = dict[str, object]

AS_PUBLISHED: tuple[Row, ...] = (
    {"loop": "public AutoPaint pipeline", "of": "2D slice", "passes": "at most 6: 5 discs, then the best together"},
    {"loop": "IterMask2", "of": "2D slice", "passes": "until the mask shrinks by less than 1 %; no count was read"},
    {"loop": "diffusion peers", "of": "not said", "passes": "100 to 1000"},
    {"loop": "IgCONDA-PET (diffusion)", "of": "64 x 64 x 96 volume", "passes": "noised by 400 steps"},
)
"""Read in their papers and public code."""


@dataclass(frozen=True, eq=False)
class Watching(CountingPainter):
    """Counts voxels too: those that the network was given, and those of whole slabs and of the whole frame."""

    @cached_property
    def voxels(self) -> dict[str, int]:
        """Summed over the passes."""
        return {"given": 0, "whole slabs": 0, "frame": 0}

    def paint(
        self, frame: Frame, holes: Sequence[Hole], run: Run, what: str, kept: Kept | None = None
    ) -> Iterator[Patch]:
        """As ``Painter.paint``."""
        everywhere = np.ones(frame.grid.shape, dtype=bool)
        whole = slabs(everywhere, self.config.slab, frame.grid.spacing_mm[0])
        self.voxels["whole slabs"] += len(holes) * sum(everywhere[slab.box].size for slab in whole)
        self.voxels["frame"] += len(holes) * everywhere.size
        return super().paint(frame, holes, run, what, kept)

    def _forward(self, batch: Any) -> Any:
        self.voxels["given"] += batch[:, 0].numel()
        return super()._forward(batch)


class Watched(AutoPaint):
    """AutoPaint with one watching painter for all that it paints."""

    @cached_property
    def watching(self) -> Watching:
        """Its painter."""
        return Watching(super().painter().network, self.config)

    def painter(self) -> Watching:
        """Its network, ready to paint."""
        return self.watching


class Watch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._wall, self._busy = time.perf_counter(), time.process_time()

    def seconds(self) -> tuple[float, float]:
        """By the clock, and of the CPU."""
        return time.perf_counter() - self._wall, time.process_time() - self._busy


class Asked:
    """How long it is between two questions whether the run is cancelled: in between nobody can stop it."""

    def __init__(self) -> None:
        self.longest, self.during = (0.0, 0.0), ""
        self._what, self._watch = "before the first pass", Watch()

    def is_cancelled(self) -> bool:
        """Never."""
        if self._watch.seconds() > self.longest:
            self.longest, self.during = self._watch.seconds(), self._what
        self._watch = Watch()
        return False

    def progress(self, progress: Progress) -> None:
        """Remember what is going on."""
        is_over = progress.done == progress.total
        self._what = f"after {progress.what}" if is_over else progress.what


def main() -> None:
    """Measure, print the tables and keep them."""
    data = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patient", type=Path, nargs="?", default=data / "sarcoma" / "STS_001")
    parser.add_argument("--model", default="autopaint/phantom")
    given = parser.parse_args()
    study, loaded = gr.read_study(given.patient / "wholebody_pet_dicom"), gr.load_method(given.model)
    if not isinstance(loaded, AutoPaint):
        parser.error(f"{given.model} is a model of {loaded.name}, expected one of autopaint")
    method = Watched(**{one.name: getattr(loaded, one.name) for one in fields(loaded) if one.init})
    anomaly, wall_s, rows = scoring(method, study)
    ours = method.watching.evaluations
    rows += [*thresholds(method, anomaly), *repainting(method, study, anomaly), *cancelling(method, study, wall_s)]
    loops = [{"loop": "AutoPaint", "source": "measured", "of": "this study, by slabs", "passes": ours}]
    loops += [published(method, study), *({"source": "as published", **row} for row in AS_PUBLISHED)]
    conditions = f"{study.reference}; {given.model}; one thread, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(conditions, markdown(rows), markdown(loops), sep="\n\n")
    print(write("autopaint_cost", {"conditions": conditions, "rows": rows, "loops": loops}))


def scoring(method: Watched, study: Study) -> tuple[AnomalyMap, float, list[Row]]:
    """The scores, the seconds by the clock, and what they cost."""
    before_mib, asked, watch = peak_mib(), Asked(), Watch()
    anomaly = method.score(study, replace(RUN, is_cancelled=asked.is_cancelled, on_progress=asked.progress))
    wall_s, busy_s = watch.seconds()
    asked.is_cancelled()  # what came after the last question counts too
    painter = method.watching
    given, whole, frame = (painter.voxels[name] for name in ("given", "whole slabs", "frame"))
    waited = f"{asked.during}; CPU time {asked.longest[1]:.1f} s"
    rows = [
        row("score: passes", painter.evaluations, "slabs with one hole"),
        row("score: CPU time", busy_s, "s"),
        row("score: by the clock", wall_s, "s"),
        row("peak memory of the process before score", before_mib, "MiB"),
        row("peak memory of the process after score", peak_mib(), "MiB"),
        row(
            "never looked at, as slabs are cut to the body", 1 - given / whole, "share", "of the voxels of whole slabs"
        ),
        row("the same, slabs that overlap counted against it", 1 - given / frame, "share", "of the frame's voxels"),
        row("longest time in which score cannot be cancelled", asked.longest[0], "s", waited),
    ]
    return anomaly, wall_s, rows


def thresholds(method: Watched, anomaly: AnomalyMap) -> list[Row]:
    """Labels at other rates, of scores that are there."""
    seconds = []
    for rate in RATES:
        watch = Watch()
        method.label(anomaly, rate, Per.SCAN)
        seconds.append(watch.seconds())
    walls, busy = zip(*seconds, strict=True)
    note = f"longest of {len(RATES)} rates; median {1000 * statistics.median(walls):.0f} ms"
    note += f"; CPU time at most {1000 * max(busy):.0f} ms"
    return [row("threshold to labels", 1000 * max(walls), "ms", note)]


def repainting(method: Watched, study: Study, anomaly: AnomalyMap) -> list[Row]:
    """The finding of middle volume, and the largest, painted again."""
    labels = method.label(anomaly, RATES[-1], Per.SCAN).voxels
    sizes = np.bincount(labels.ravel())[1:]
    rows: list[Row] = []
    for which, place in (("of middle volume", (sizes.size - 1) // 2), ("the largest", -1)) if sizes.size else ():
        number = int(np.argsort(sizes)[place]) + 1
        before, watch = method.watching.evaluations, Watch()
        method.repaint(study, anomaly, labels == number, RUN)
        (wall_s, busy_s), passes = watch.seconds(), method.watching.evaluations - before
        note = f"{sizes[number - 1] * anomaly.grid.voxel_ml:.1f} ml, {passes} passes, CPU time {busy_s:.1f} s"
        rows.append(row(f"repaint of one of {sizes.size} findings, {which}", wall_s, "s", note))
    return rows


def cancelling(method: Watched, study: Study, wall_s: float) -> list[Row]:
    """From the moment that it is asked for to ``Cancelled``."""
    found = [(share, cancelled(method, study, share * wall_s)) for share in CANCELLED_AT]
    waits = {share: seconds for share, seconds in found if seconds is not None}
    note = "; ".join(f"at {at:.0%} {wall:.2f} s, CPU time {busy:.2f} s" for at, (wall, busy) in waits.items())
    return [row(f"cancel to the end, longest of {len(waits)}", max(waits.values())[0], "s", note)]


def cancelled(method: Watched, study: Study, delay_s: float) -> tuple[float, float] | None:
    """Seconds, by the clock and of the CPU, until a run ends that is cancelled after ``delay_s``; None if it did not.

    The method is a copy that kept no frame of the study.
    """
    stop, pressed = threading.Event(), []

    def press() -> None:
        pressed.append(Watch())
        stop.set()

    timer = threading.Timer(delay_s, press)
    timer.start()
    try:
        replace(method).score(study, replace(RUN, is_cancelled=stop.is_set))
    except Cancelled:
        return pressed[0].seconds()
    finally:
        timer.cancel()
    return None


def published(method: Watched, study: Study) -> Row:
    """The passes of the published loop on this study, with our network and the published gates."""
    painter = CountingPainter(method.watching.network, method.config)
    published_score(painter, method.frame_of(study)[0], method.config, RUN, gates=True)
    of = f"this study, by slabs that share discs every {STEP_MM:g} mm"
    return {"loop": "published loop, our network", "source": "measured", "of": of, "passes": painter.evaluations}


def row(what: str, seen: float, unit: str, note: str = "") -> Row:
    """A line of the first table."""
    return {"what": what, "seen": seen, "unit": unit, "note": note}


def peak_mib() -> float:
    """Of the process, since it began."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2 ** (20 if sys.platform == "darwin" else 10)


if __name__ == "__main__":
    main()
