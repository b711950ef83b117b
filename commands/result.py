"""Say what the pipeline's last run reached, and where to look next.

Usage:  python -m commands.result
Reads:  reports/metrics.json, reports/recipe.yaml, params.yaml; data.json of the data set
Writes: nothing
"""

import json
from pathlib import Path

from ladder import cards
from ladder.command import parser, run_stage
from ladder.evaluation.metrics import headline
from ladder.exceptions import LadderError
from ladder.paths import REPORTS, facts_folder


def read_json(path: Path) -> dict:
    """Return the mapping in a JSON file of reports/. Raises LadderError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LadderError(f"there is no {path} yet; run `dvc repro`") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise LadderError(f"{path} is damaged; `git restore {path}` or `dvc repro` brings it back")
    return found


def main(given: list[str] | None = None) -> None:
    parser("commands.result", __doc__).parse_args(given)
    metrics = read_json(REPORTS / "metrics.json")
    recipe, params = cards.read_recipe(REPORTS / "recipe.yaml"), cards.read_params()
    data = read_json(facts_folder(recipe.data) / "data.json")
    try:
        said = headline(recipe.name, params.seeds, metrics, data["test_images"])
    except (KeyError, TypeError, ValueError):
        raise LadderError(f"{REPORTS}/ is not as `dvc repro` leaves it; run it again") from None
    print()
    print(said)
    print("look at:  reports/curves.png, reports/errors.png (the misread images), reports/model.md (the network)")
    print("compare:  python -m commands.compare   (the last commit with this; is the difference real?)")


if __name__ == "__main__":
    run_stage("result", main)
