"""`python -m foundry` is the command `foundry`."""

import sys

from foundry.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
