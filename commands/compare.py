"""Is the difference between two sets of runs real? Prints Markdown; the verdict is its first sentence.

    python -m commands.compare                     # HEAD against the workspace
    python -m commands.compare main                # main against the workspace: what a pull request shows
    python -m commands.compare net7 net8           # two rungs that have reports in reports/rungs/
    python -m commands.compare fashion_mnist/sprint fashion_mnist/tiny  # on the images of another data set
    python -m commands.compare main lucky-dog --fail-unless not-worse --tolerance 0.1

A name is `workspace`, a rung with reports in it, a Git revision or a DVC experiment, looked for in this order
(`heads/net7` is a branch that has the name of a rung). Reads reports/, params.yaml, rungs/cards/ and DVC's lock files
there, through Git: no checkout, no data, no remote. Writes only the file that --pictures names.
Exit code: 0; 2 for bad input. With --fail-if or --fail-unless 1 where a loss beyond the tolerance is shown, or a seed
of the second has collapsed, also one of a new rung. With --fail-unless not-worse 3 where no such loss is shown but it
cannot be ruled out either: there are too few seeds, or a rung's results are gone or not of its recipe. A new rung may
be worse than the one it is judged against: that is a result. With --receipt 1 where a seed that is trained again gives
other results than the reported ones; it needs the data, and as much time as one run of each changed rung.
"""

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from ladder import command
from ladder.comparison.differences import compare_snapshots
from ladder.comparison.markdown import markdown
from ladder.comparison.snapshots import WORKSPACE, find
from ladder.data.data_set import read_data_set
from ladder.data.splits import preprocess
from ladder.evaluation.stats import AS_GOOD_WITHIN
from ladder.exceptions import LadderError
from ladder.files import write_bytes
from ladder.paths import DEFAULT_DATA, processed_folder

TOLERANCE = AS_GOOD_WITHIN  # points
FINE, WORSE, UNKNOWN = 0, 1, 3  # exit codes


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments. A wrong one ends the program with exit code 2."""
    parser = command.parser("commands.compare", __doc__)
    parser.add_argument("before", nargs="?", default="HEAD", metavar="A", help="compare with this (default: HEAD)")
    parser.add_argument("after", nargs="?", default=WORKSPACE, metavar="B", help="judge this (default: the workspace)")
    gate = parser.add_mutually_exclusive_group()
    gate.add_argument("--fail-if", choices=["worse"], help="exit with code 1 where the whole interval is a loss")
    gate.add_argument(
        "--fail-unless", choices=["not-worse"], help="exit with code 0 only where the whole interval is no loss"
    )
    parser.add_argument(
        "--tolerance",
        type=points,
        metavar="POINTS",
        help=f"a loss of accuracy to accept (default: 0 with --fail-if, {TOLERANCE:g} with --fail-unless)",
    )
    parser.add_argument(
        "--receipt", action="store_true", help="train one random seed of each changed rung again (B: workspace or HEAD)"
    )
    parser.add_argument("--json", action="store_true", help="print the same facts as JSON")
    parser.add_argument("--pictures", metavar="FILE.png", help="draw the images that changed most consistently")
    return parser.parse_args(given)


def points(text: str) -> float:
    """Return a tolerance as a number of points. Raises ValueError below 0."""
    value = float(text)
    if not value >= 0:
        raise ValueError(text)
    return value


def passes(comparison: Mapping, tolerance: float) -> int:
    """Return FINE, WORSE or UNKNOWN: is a loss of more than `tolerance` points ruled out?"""
    if comparison["same_results"]:
        return FINE
    if min(comparison["seeds"]) == 1:  # one run says nothing of its recipe
        return UNKNOWN
    if comparison["high"] < -tolerance:
        return WORSE
    return FINE if comparison["low"] > -tolerance else UNKNOWN


def exit_code(facts: Mapping, asked: argparse.Namespace) -> int:
    """Return the exit code, and say on stderr what decided it."""
    if not (asked.fail_if or asked.fail_unless):
        return FINE
    tolerance = asked.tolerance if asked.tolerance is not None else TOLERANCE if asked.fail_unless else 0.0
    codes = {comparison["after"]: passes(comparison, tolerance) for comparison in facts["comparisons"]}
    worse, unknown = ([name for name, code in codes.items() if code == of] for of in (WORSE, UNKNOWN))
    collapsed = [lost for of in facts["comparisons"] for lost in of["collapsed"] if lost["of"] == of["after"]]
    collapsed += [lost for new in facts["new_rungs"] for lost in new.get("collapsed", ())]
    for lost in collapsed:
        said = f"{lost['misread']:.0f} % of class {lost['class']}, since epoch {lost['since_epoch']}"
        print(f"compare: a seed collapsed: seed {lost['seed']} of {lost['of']} misreads {said}", file=sys.stderr)
    if worse:
        print(f"compare: worse by more than {tolerance:g} points: {', '.join(worse)}", file=sys.stderr)
    if worse or collapsed:
        return WORSE
    return _ruled_out(facts, unknown, tolerance) if asked.fail_unless else FINE


def _ruled_out(facts, unknown, tolerance):
    """Return FINE, or UNKNOWN, and say why: what was not compared rules nothing out."""
    reasons = {
        f"a loss of more than {tolerance:g} points is not ruled out; train more seeds": unknown,
        "not compared, so no loss is ruled out": facts["not_measured"] + _not_measured(facts["new_rungs"]),
        "results are gone, so no loss is ruled out": facts["lost_rungs"],
    }
    for reason, names in reasons.items():
        if names:
            print(f"compare: {reason}: {', '.join(names)}", file=sys.stderr)
    return UNKNOWN if any(reasons.values()) else FINE


def _not_measured(new_rungs):
    return [new["not_measured"] for new in new_rungs if "not_measured" in new]


def check_writable(path: Path) -> None:
    """Raise LadderError where --pictures names no PNG file that can be written."""
    if path.is_dir():
        raise LadderError(f"--pictures {path}: this is a folder; name a file in it, such as {path / 'changes.png'}")
    if path.suffix.lower() != ".png":
        raise LadderError(f"--pictures {path}: the picture is a PNG file; name it {path.with_suffix('.png')}")
    if not path.parent.is_dir():
        raise LadderError(f"--pictures {path}: there is no folder {path.parent}; make it first")


def draw(facts: Mapping, path: Path) -> str:
    """Write the picture of the changed images and return a line that says so, or why there is none."""
    judged = facts["comparisons"] + [new["comparison"] for new in facts["new_rungs"] if new["comparison"]]
    comparisons = [of for of in judged if of["images"]["fixed"] or of["images"]["broken"]]
    if not comparisons:
        return "No picture: no test image is fixed or broken."
    data = comparisons[0]["data"]
    shown, test = [of for of in comparisons if of["data"] == data], processed_folder(data) / "test.safetensors"
    stage = preprocess(data)
    if not test.is_file():
        return f"No picture: it needs {test}; `dvc pull {test.parent}` or `dvc repro {stage}` brings it."
    from safetensors import SafetensorError  # with matplotlib half a second, which most calls save
    from safetensors.numpy import load_file

    from ladder.comparison import pictures

    try:
        images = load_file(test)["images"]
    except (SafetensorError, KeyError) as error:
        return f"No picture: {test} is damaged ({error}); remove it, then `dvc repro {stage}` makes it again."
    if len(images) != shown[0]["test_images"]:
        return f"No picture: {test} has {len(images):,} images, the reports are of {shown[0]['test_images']:,}."
    write_bytes(path, pictures.changes(shown, images, data == DEFAULT_DATA or read_data_set(data).inverted))
    drawn = min(len(shown), pictures.CHANGES)
    most = f" of the first {drawn} of {len(comparisons)} comparisons" if drawn < len(comparisons) else ""
    return f"Pictures of the most consistent ones{most}: {path}"


def main(given: Sequence[str] | None = None) -> int:
    """Print the comparison and return the exit code."""
    asked = arguments(given)
    if asked.receipt and asked.after not in (WORKSPACE, "HEAD"):
        raise LadderError(f"--receipt trains with the code that is checked out; check out {asked.after} first")
    if asked.pictures is not None:
        check_writable(Path(asked.pictures))
    after = find(asked.after)
    facts = compare_snapshots(find(asked.before), after)
    # first, since nobody looks for a fault at the end of a long text
    receipts = _receipts(after, facts) if asked.receipt else iter(())
    if asked.pictures is not None:
        facts["pictures"] = draw(facts, Path(asked.pictures))
    print(json.dumps(facts, indent=2) if asked.json else markdown(facts))
    confirmed = True
    for equal, said in receipts:
        print(f"\n{said}", flush=True)
        confirmed &= equal
    return exit_code(facts, asked) if confirmed else WORSE


def _receipts(after, facts):
    """Return an iterator that makes a receipt for the results of each changed rung, one after the other.

    Raises LadderError at once where one cannot be made.
    """
    from ladder.comparison import receipt  # imports torch, which takes seconds

    changed = [of["rung"] for of in facts["comparisons"] + facts["new_rungs"] if "not_measured" not in of]
    reported = [receipt.read(after, rung) for rung in changed]
    return map(receipt.receipt, reported)


def run() -> int:
    """Call `main` as a program. Whatever stops it, the exit code is not 1, which means a loss."""
    sys.stdout.reconfigure(errors="replace")  # where the terminal has no → or ±, it shows a question mark
    try:
        return main()
    except (LadderError, OSError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception:  # a bug: its traceback, but not the exit code of a loss
        traceback.print_exc()
        return 2


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough, such as `head`, is no fault
    sys.exit(run())
