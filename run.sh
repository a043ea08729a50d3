#!/bin/sh
# Entry point of the SyftBox app cpu_tracker, whichever client starts it and from whichever folder: see main.py.
set -eu
cd "$(dirname "$0")"
for python in python3 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$python" -I main.py "$@"
    fi
done
echo "cpu_tracker needs Python 3.11 or newer, and none is on PATH ($PATH); Debian: apt-get install python3" >&2
exit 0 # not a failure that a restart each few seconds could mend
