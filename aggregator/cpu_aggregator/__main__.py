"""`python -m cpu_aggregator`."""

import sys

from cpu_aggregator.cli import main

if __name__ == "__main__":
    sys.exit(main())
