"""Hash what measuring gives for a few untrained networks: what a rung's results depend on beside its training.

Usage:  python -m stages.measuring
Reads:  rungs/cards/
Writes: reports/measuring.txt

It is to measuring what the fingerprint is to training. It changes when the ladder would measure something else, and
then every rung is measured again. It stays the same when code is only moved or renamed.
"""

from ladder import machine
from ladder.command import parser, run_stage
from ladder.evaluation.measurement_hash import measurement_hash
from ladder.files import write_text
from ladder.paths import REPORTS

HASH = REPORTS / "measuring.txt"


def main(given: list[str] | None = None) -> None:
    parser("stages.measuring", __doc__).parse_args(given)
    machine.configure(portable=True)
    write_text(HASH, measurement_hash() + "\n")
    print(f"measuring: see {HASH}")


if __name__ == "__main__":
    run_stage("measuring", main)
