"""Runs in the environment `syft10`: an owner and an aggregator of today's SyftBox on its in-package mock drive.

`today.py OWNER_FOLDER AGGREGATOR_FOLDER OWNER AGGREGATOR` makes both and says so; then, for each line on standard
input, lets the owner and then the aggregator sync, and answers with what the aggregator has: path -> text, as JSON.
"""

import json
import sys
from pathlib import Path

from syft_rds.client import SyftRDSClient  # type: ignore[import-not-found] # in its own environment

said = sys.stdout
sys.stdout = sys.stderr  # its own progress lines


def main(owner_folder: str, aggregator_folder: str, owner_email: str, aggregator_email: str) -> None:
    """Make them, then sync for each line."""
    aggregator, owner = SyftRDSClient.pair_with_mock_drive_service_connection(
        email1=owner_email,
        email2=aggregator_email,
        base_path1=owner_folder,
        base_path2=aggregator_folder,
        use_in_memory_cache=False,  # files on disk, as with a real drive
    )
    answer("ready")
    root = Path(aggregator_folder)
    for _ in sys.stdin:
        owner.sync()
        aggregator.sync()
        found = (path for path in root.rglob("*") if path.is_file() and owner_email in path.parts)
        answer({str(path.relative_to(root)): path.read_text() for path in found})


def answer(document: object) -> None:
    """One line of JSON to the test."""
    said.write(json.dumps(document) + "\n")
    said.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
