"""`python -m cpu_collector`, the same as `cpu-collector`."""

import sys

from cpu_collector.cli import main

sys.exit(main())
