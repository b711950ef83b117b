"""What all scripts share: help that is the module's own text, arguments, and an end in one line."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ladder.exceptions import LadderError
from ladder.names import is_name, is_rung, refusal


class _Parser(argparse.ArgumentParser):
    """A parser whose refusal is one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see `{self.prog} --help`\n")


def parser(module: str, text: str) -> argparse.ArgumentParser:
    """Return the parser of a script, `module` as in `python -m module`. Its help is `text`, the module's docstring."""
    kind = argparse.RawDescriptionHelpFormatter
    return _Parser(prog=f"python -m {module}", description=text, formatter_class=kind, allow_abbrev=False)


def name(text: str) -> str:
    """Return an argument that is a name, such as a rung's. Raises argparse's error for what is no name."""
    if not is_name(text):
        raise argparse.ArgumentTypeError(refusal(text))
    return text


def rung(text: str) -> str:
    """Return an argument that names a rung, on a further data set too. Raises argparse's error for what is no name."""
    return text if is_rung(text) else name(text)


def new_file(text: str) -> Path:
    """Return an argument that names a file to write. Raises argparse's error where it is a folder, or in none."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}; make it first")
    return path


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a function that reads an argument as a whole number from `low` to `high`."""

    def read(text):
        # the length first: Python refuses to read thousands of digits
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
            shown = text if len(text) <= 20 else f"{text[:17]}..."
            raise argparse.ArgumentTypeError(f"{shown!r} is not a whole number from {low} to {high}")
        return int(text)

    return read


def run_stage(script: str, main: Callable[[], None]) -> None:
    """Call a script's `main`. A LadderError ends it with one line and exit code 1, Ctrl-C with 130."""
    try:
        main()
    except LadderError as error:
        sys.exit(f"{script}: {error}{_elsewhere()}")
    except OSError as error:
        sys.exit(f"{script}: {error.filename or 'a file'}: {error.strerror or error}{_elsewhere()}")
    except KeyboardInterrupt:
        print(f"\n{script}: interrupted; what is finished is kept, so start again to continue", file=sys.stderr)
        sys.exit(130)


def _elsewhere():
    """Return a hint for a script that failed outside the repository's top folder, which holds all its paths."""
    if Path("rungs/cards").is_dir():
        return ""
    return f" (this folder is {Path.cwd()}: start in the repository's top folder, the one with dvc.yaml)"
