"""Runs inside the `syftbox` environment: decisions of the real Python 0.4 evaluator, one JSON line for each line read.

In: {"files": {path: text}, "checks": [[user, level, path]]}; out: {"errors": [path], "allowed": [bool]}.
Rules are asked in the order of the files given, as the server asks them in the order of its database.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from syftbox.lib.permissions import (  # type: ignore[import-not-found] # foreign environment
    ComputedPermission,
    PermissionType,
    SyftPermission,
)

for line in sys.stdin:
    asked = json.loads(line)
    rules, errors = [], []
    for path, text in asked["files"].items():
        try:
            rules += SyftPermission.from_string(text, path).rules
        except Exception:  # noqa: BLE001 - whatever it raises, the file is refused
            errors.append(path)
    allowed = [
        ComputedPermission.from_user_rules_and_path(rules, user, Path(path)).has_permission(
            PermissionType[level.upper()]
        )
        for user, level, path in asked["checks"]
    ]
    sys.stdout.write(json.dumps({"errors": errors, "allowed": allowed}) + "\n")
    sys.stdout.flush()
