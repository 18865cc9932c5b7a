"""`python -m sereno` is the command `sereno`."""

import sys

from sereno.cli import main

if __name__ == "__main__":
    sys.exit(main())
