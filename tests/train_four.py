"""A script for test_processes: trains four seeds on 60,000 images by two processes, in the store at its argument.

It would take minutes: each test ends it earlier. The images are as many as the real ones, 47 MB.
"""

import sys
from pathlib import Path

from projects import small

from ladder.command import run_stage


def main():
    import torch

    from ladder.data.synthetic import synthetic_digits
    from ladder.runs.pool import train_seeds, training_pool

    data = synthetic_digits(1000).pick(torch.arange(1000).repeat(60))._replace(groups=None)
    with training_pool(2) as executor:
        train_seeds(small(epochs=100), data, range(4), executor, Path(sys.argv[1]))


if __name__ == "__main__":
    run_stage("train_four", main)
