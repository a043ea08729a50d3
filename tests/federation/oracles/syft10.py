"""Runs inside the `syft10` environment: decisions of the real `syft-permissions`, one JSON line for each line read.

In: {"files": {path: text}, "checks": [[user, level, path]]}, paths with the owner's folder first;
out: {"errors": [path], "allowed": [bool]}.
"""

from __future__ import annotations

import json
import sys

import yaml
from syft_permissions import (  # type: ignore[import-not-found] # foreign environment
    AccessLevel,
    ACLRequest,
    ACLService,
    RuleSet,
    User,
)

LEVELS = {"read": AccessLevel.READ, "create": AccessLevel.WRITE, "write": AccessLevel.WRITE, "admin": AccessLevel.ADMIN}

for line in sys.stdin:
    asked = json.loads(line)
    errors: list[str] = []
    services: dict[str, ACLService] = {}
    for path, text in asked["files"].items():
        owner, _, below = path.partition("/")
        service = services.setdefault(owner, ACLService(owner=owner))
        try:
            rules = RuleSet.model_validate(yaml.safe_load(text) or {})
        except Exception:  # noqa: BLE001 - whatever it raises, the file is refused
            errors.append(path)
            continue
        rules.path = below.rpartition("/")[0]
        service.add_ruleset(rules)
    allowed = []
    for user, level, path in asked["checks"]:
        owner, _, below = path.partition("/")
        service = services.setdefault(owner, ACLService(owner=owner))
        allowed.append(service.can_access(ACLRequest(path=below, level=LEVELS[level], user=User(id=user))))
    sys.stdout.write(json.dumps({"errors": errors, "allowed": allowed}) + "\n")
    sys.stdout.flush()
