"""Remove runs from .runs/ that nothing has asked for lately: `python -m commands.prune [days]`, 30 days if not said.

Nothing is lost but time: a run that is wanted again is trained again, with the same bytes.
"""

import sys

from ladder.command import run_stage
from ladder.exceptions import LadderError
from ladder.runs import store


def main():
    text = sys.argv[1] if len(sys.argv) == 2 else "30"
    if len(sys.argv) > 2 or not (text.isascii() and text.isdigit()):
        raise LadderError(f"expected one whole number of days, 0 or more, not {' '.join(sys.argv[1:])!r}")
    runs, size = store.prune(int(text))
    print(f"prune: removed {runs} runs not used for {text} days, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_stage("prune", main)
