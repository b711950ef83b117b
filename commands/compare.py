"""Is the difference between two sets of runs real? Prints Markdown; the verdict is its first sentence.

    python -m commands.compare                     # HEAD against the workspace
    python -m commands.compare main                # main against the workspace: what a pull request shows
    python -m commands.compare net7 net8           # two rungs that have reports in reports/rungs/
    python -m commands.compare main lucky-dog --fail-if worse --tolerance 0.05

A name is `workspace`, a rung with reports in it, a Git revision or a DVC experiment, looked for in this order
(`heads/net7` is a branch that is called like a rung). Reads reports/, params.yaml and DVC's lock files there, through
Git: no checkout, no data, no remote. Exit code: 0; 1 where --fail-if says so; 2 for bad input. Writes nothing but the
file that --pictures names.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from ladder.comparison.differences import compare_trees
from ladder.comparison.markdown import markdown
from ladder.comparison.reports import WORKSPACE, find
from ladder.exceptions import LadderError
from ladder.files import write_bytes

TEST = Path("data/processed/test.safetensors")


def arguments(given=None):
    """Return the command line's arguments. A wrong one ends the program with exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m commands.compare", description=__doc__.splitlines()[0])
    parser.add_argument("before", nargs="?", default="HEAD", metavar="A", help="what to compare with (default: HEAD)")
    parser.add_argument(
        "after", nargs="?", default=WORKSPACE, metavar="B", help="what to judge (default: the workspace)"
    )
    parser.add_argument("--fail-if", choices=["worse"], help="exit 1 where the interval shows a loss")
    parser.add_argument("--tolerance", type=points, default=0.0, help="a loss of accuracy to let pass, points (0)")
    parser.add_argument("--json", action="store_true", help="the same facts for a machine")
    parser.add_argument("--pictures", metavar="FILE.png", help="draw the images that changed most consistently")
    return parser.parse_args(given)


def points(text):
    """Return a tolerance as a number of points. Raises ValueError below 0."""
    value = float(text)
    if not value >= 0:
        raise ValueError(text)
    return value


def losses(facts, tolerance):
    """Return the names of what lost more accuracy than `tolerance` points, by the whole of its 95 % interval."""
    lost = []
    for comparison in facts["comparisons"]:
        high = comparison["metrics"][0]["high"]
        if high is not None and high < -tolerance:
            lost.append(comparison["after"])
    return lost


def draw(facts, path):
    """Write the picture of the changed images and return a line that says so, or why there is none."""
    comparisons = [found for found in facts["comparisons"] if found["images"]["fixed"] or found["images"]["broken"]]
    if not comparisons:
        return "No picture: no test image is fixed or broken."
    if not TEST.is_file():
        return f"No picture: it needs {TEST}; `dvc pull {TEST.parent}` or `dvc repro preprocess` brings it."
    from safetensors import SafetensorError  # with matplotlib half a second, which most calls save
    from safetensors.numpy import load_file

    from ladder.comparison import pictures

    try:
        images = load_file(TEST)["images"]
    except SafetensorError as error:
        return f"No picture: {TEST} is damaged ({error}); remove it, then `dvc repro preprocess` makes it again."
    write_bytes(path, pictures.changes(comparisons, images))
    return f"Pictures of the most consistent ones: {path}"


def main(given=None):
    """Print the comparison and return the exit code."""
    asked = arguments(given)
    facts = compare_trees(find(asked.before), find(asked.after))
    if asked.pictures:
        facts["pictures"] = draw(facts, asked.pictures)
    print(json.dumps(facts, indent=2) if asked.json else markdown(facts))
    lost = losses(facts, asked.tolerance) if asked.fail_if else []
    if lost:
        print(f"compare: worse by more than {asked.tolerance:g} points: {', '.join(lost)}", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough, such as `head`, is no fault
    try:
        sys.exit(main())
    except (LadderError, OSError) as error:
        print(f"compare: {error}", file=sys.stderr)
        sys.exit(2)
