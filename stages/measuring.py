"""Hash what measuring gives for a few untrained networks: what a rung's results depend on, beside its training.

As a fingerprint for training: it changes where the ladder would measure something else, so that all rungs are measured
again; it stays when code is only moved or renamed, so that none is trained again for that.
Usage: python -m stages.measuring. Reads: rungs/cards/. Writes: reports/measuring.txt.
"""

from ladder import machine
from ladder.command import run_stage
from ladder.evaluation.measurement_hash import measurement_hash
from ladder.files import write_text
from ladder.paths import REPORTS

HASH = REPORTS / "measuring.txt"


def main():
    machine.configure(portable=True)
    write_text(HASH, measurement_hash() + "\n")
    print(f"measuring: see {HASH}")


if __name__ == "__main__":
    run_stage("measuring", main)
