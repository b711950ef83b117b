"""How a script ends: one line for a fault that its user can mend, and the exit code."""

import sys

from ladder.exceptions import LadderError


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
