"""One script a stage, and a command beside the stages, run as `python -m stages.<name>`: files in, files out.

Here is what they share: where data and reports are, and how a script ends.
"""

import sys
from pathlib import Path

from ladder.errors import LadderError

REPORTS = Path("reports")
PROCESSED = Path("data/processed")


def read_split(split):
    """Return {"images": uint8 [N, 1, 28, 28], "labels": uint8 [N]} of `train` or `test`, as `preprocess` wrote them."""
    from ladder.tensors import read_tensors  # imports torch, which reads what `machine.configure` set before

    return read_tensors(PROCESSED / f"{split}.safetensors")


def run_stage(name, main):
    """Call a script's `main`. A fault its user can mend ends it with one line and exit code 1, Ctrl-C with 130."""
    try:
        main()
    except LadderError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; what is finished is kept, so start again to continue", file=sys.stderr)
        sys.exit(130)
