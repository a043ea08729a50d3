"""`python -m cpu_publisher`."""

import sys

from cpu_publisher.cli import main

sys.exit(main())
