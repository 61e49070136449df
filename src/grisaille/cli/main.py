"""``grisaille``: what is typed becomes a call, what goes wrong becomes a sentence and an exit code.

0 done, 1 one of our errors, 2 wrong usage, 130 cancelled.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence

import grisaille
from grisaille.cli.console import Console
from grisaille.core.errors import Cancelled, GrisailleError
from grisaille.core.result import RESEARCH_USE

DONE, FAILED, CANCELLED = 0, 1, 130

Command = Callable[[argparse.Namespace, Console], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = Console()
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names that the screen has no letters for: better odd than fatal
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        given = _parser(arguments).parse_args(arguments)
        command: Command = given.command
        with console.cancelling():
            code = command(given, console)
        sys.stdout.flush()
        return code
    except (Cancelled, KeyboardInterrupt):
        console.say("cancelled")
        return CANCELLED
    except GrisailleError as error:
        console.error(str(error))
    except BrokenPipeError:  # the reader of stdout has gone, as `head` goes; nothing is left to say at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MemoryError:
        console.error("this computer's memory was not enough; close other programs or take smaller volumes")
    except OSError as error:
        console.error(f"{error.filename or 'a file'}: {error.strerror or error}")
    except Exception as error:  # the last door: a sentence, and the traceback for whoever asks
        if os.environ.get("GRISAILLE_TRACEBACK"):
            raise
        console.error(
            f"an error inside grisaille, please report it: {type(error).__name__}: {error} "
            "(set GRISAILLE_TRACEBACK=1 to see where)"
        )
    return FAILED


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the command that was named is given its flags."""
    parser = argparse.ArgumentParser(
        prog="grisaille", description="Shows in PET and CT what is unlike healthy tissue.", epilog=RESEARCH_USE
    )
    parser.add_argument("--version", action="version", version=f"grisaille {grisaille.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for name, (help_text, add_flags) in _COMMANDS.items():
        one = commands.add_parser(name, help=help_text, description=help_text, epilog=RESEARCH_USE)
        if name == named:
            add_flags(one, arguments)
    return parser


def _demo(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    from grisaille.cli.desktop import add_demo

    add_demo(parser)


def _info(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    from grisaille.cli.info import add_info

    add_info(parser)


def _detect(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    from grisaille.cli.detect import add_detect

    add_detect(parser, arguments)


def _train(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    from grisaille.cli.train import add_train

    add_train(parser)


def _evaluate(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    from grisaille.cli.evaluate import add_evaluate

    add_evaluate(parser, arguments)


def _export(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    from grisaille.cli.export import add_export

    add_export(parser)


def _weights(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    from grisaille.cli.weights import add_weights

    add_weights(parser)


def _doctor(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    from grisaille.cli.doctor import add_doctor

    add_doctor(parser)


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser, Sequence[str]], None]]] = {
    "demo": ("open the viewer on a sample study and run MVG on it", _demo),
    "info": ("say what files and folders hold: geometry, units, how SUV comes about", _info),
    "detect": ("mark and measure in studies what is unlike healthy tissue", _detect),
    "train": ("fit a method on your own healthy studies", _train),
    "evaluate": ("measure on a data set how well a method finds lesions, and report", _evaluate),
    "export": ("write a result or labels as DICOM SEG, SR, NIfTI and other formats", _export),
    "weights": ("list, get, add and check the files that networks and models are in", _weights),
    "doctor": ("say what this computer has for grisaille: packages, GPU, OpenGL, weights", _doctor),
}

if __name__ == "__main__":
    sys.exit(main())
