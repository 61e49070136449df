"""``grisaille weights``: the files that networks and models are in; nothing is fetched unasked."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from grisaille.cli.console import Console
from grisaille.core.run import Run


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Flags of ``grisaille weights``."""
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    one = verbs.add_parser("list", help="all weights, their licences, and where they are on this machine")
    one.add_argument("--json", action="store_true", help="for programs")
    one.set_defaults(command=_list)

    one = verbs.add_parser("get", help="fetch weights from their hub; the only command that does so by itself")
    one.add_argument("name", metavar="NAME", help="of a card, as `grisaille weights list` shows it")
    one.set_defaults(command=_get)

    _add_add(verbs.add_parser("add", help="take up a file that you have: a CLIP, published prompts, or a model"))

    one = verbs.add_parser("check", help="read files whole: hashes, and whether networks and prompts fit")
    one.add_argument("names", nargs="*", metavar="NAME", help="of a card; all that are here if left out")
    one.add_argument("--json", action="store_true", help="for programs")
    one.set_defaults(command=_check)


def _add_add(one: argparse.ArgumentParser) -> None:
    from grisaille.methods.anomalyclip.config import ClipName, Preset

    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument("--as", dest="name", metavar="NAME", help="card that it belongs to, where the file does not say")
    one.add_argument("--out", type=Path, metavar="FILE", help="write there instead of into the weights folder")
    one.add_argument(
        "--preset", type=Preset, choices=list(Preset), help="of prompts; by default as their file is laid out"
    )
    one.add_argument("--backbone", type=ClipName, choices=list(ClipName), help="of prompts; by default by their width")
    one.add_argument("--trust", action="store_true", help="open a TorchScript archive, which runs code of its author")
    one.add_argument("--overwrite", action="store_true", help="replace a file that is there already")
    one.set_defaults(command=_add)


def _list(given: argparse.Namespace, _: Console) -> int:
    from grisaille.flows.weights import list_weights

    rows = [
        {
            "name": shelf.card.name,
            "kind": shelf.card.kind.value,
            "licence": shelf.card.licence,
            "bytes": shelf.bytes or None,
            "path": str(shelf.path) if shelf.path else None,
            "sha256": shelf.card.sha256 or None,
            "source": shelf.card.source,
            "intended_use": shelf.card.intended_use,
        }
        for shelf in list_weights()
    ]
    print(json.dumps(rows, indent=2) if given.json else _table(rows))
    return 0


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [("name", "kind", "size", "licence", "where")]
    for row in rows:
        cells.append((row["name"], row["kind"], _size(row["bytes"]), row["licence"], row["path"] or "not here"))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _size(count: int | None) -> str:
    if not count:
        return "unknown"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _get(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.weights import get_weights
    from grisaille.weights.store import known

    card = known(given.name)
    console.say(f"{card.name}: licence {card.licence}; {card.source}")
    file = get_weights(given.name)
    _print_file(card.name, str(file.path), file.path.stat().st_size, file.sha256)
    if not card.is_pinned:
        console.say(f"no hash of {card.name} is known to grisaille: compare the sha256 with that shown at its source")
    return 0


def _add(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.add_weights import Wish, add_weights
    from grisaille.weights.store import known

    console.say(f"reading {given.file.name}")
    wish = Wish(given.name, given.out, given.preset, given.backbone, given.trust, given.overwrite)
    added = add_weights(given.file, wish)
    print(f"{given.file.name}: {added.what}")
    _print_file(added.name or "written", str(added.path), added.bytes, added.sha256)
    for note in added.notes:
        console.say(f"note: {note}")
    if added.name:
        console.say(f"licence: {known(added.name).licence}")
    return 0


def _check(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.weights import check_weights

    failed, rows = False, []
    for verdict in check_weights(given.names, run=console.listen(Run())):
        failed |= bool(verdict.problem)
        rows.append({**asdict(verdict), "ok": not verdict.problem})
        if not given.json:
            _print_verdict(rows[-1])
    if given.json:
        print(json.dumps(rows, indent=2))
    return int(failed)


def _print_verdict(row: dict[str, Any]) -> None:
    if row["problem"]:
        print(f"FAILED  {row['name']}: {row['problem']}")
        return
    _print_file(f"ok      {row['name']}", row["path"], row["bytes"], row["sha256"])
    for note in row["notes"]:
        print(f"  {note}")


def _print_file(what: str, path: str, size: int, sha256: str) -> None:
    print(f"{what}: {path}\n  {size} bytes, sha256 {sha256}")
