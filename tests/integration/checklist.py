"""Checklist A: what `docker inspect` must say of the two containers, one named rule a line. Pure."""

from __future__ import annotations

from typing import Any

HANDOFF, DATASITE, PUBLIC, PRIVATE = "/handoff", "/datasite", "/datasite/app_data/cpu_tracker", "/private"
MOST_PIDS = {"collector": 32, "publisher": 64}


def violations(collector: dict[str, Any], publisher: dict[str, Any]) -> list[str]:
    """Names of the rules that are broken, `service: rule`."""
    rules: dict[str, bool] = {}
    for name, seen in (("collector", collector), ("publisher", publisher)):
        rules |= {f"{name}: {rule}": kept for rule, kept in _both(name, seen).items()}
    host = collector["HostConfig"]
    rules |= {
        "collector: PidMode host": host["PidMode"] == "host",
        "collector: NetworkMode none": host["NetworkMode"] == "none",
        "collector: no ports": not host.get("PortBindings"),
        "collector: mounts exactly the hand-off, rw": _mounts(collector) == {HANDOFF: True},
        "collector: more CPU shares than others": host.get("CpuShares", 0) > 1_024,
    }
    host = publisher["HostConfig"]
    bindings = [binding for ports in (host.get("PortBindings") or {}).values() for binding in ports]
    rules |= {
        "publisher: PidMode its own": host["PidMode"] == "",
        "publisher: a user-defined network": host["NetworkMode"] not in ("", "default", "bridge", "host", "none"),
        "publisher: ports on 127.0.0.1 only": bool(bindings) and all(b["HostIp"] == "127.0.0.1" for b in bindings),
        "publisher: mounts and their modes": _mounts(publisher)
        == {HANDOFF: False, DATASITE: False, PUBLIC: True, PRIVATE: True},
        "publisher: group of the hand-off": host.get("GroupAdd") == ["60710"],
        "distinct uids": _uid(collector) != _uid(publisher),
    }
    return [rule for rule, kept in rules.items() if not kept]


def _both(name: str, seen: dict[str, Any]) -> dict[str, bool]:
    host, config = seen["HostConfig"], seen["Config"]
    options = host.get("SecurityOpt") or []
    log = host.get("LogConfig") or {}
    return {
        "CapDrop ALL": host.get("CapDrop") == ["ALL"],
        "CapAdd none": not host.get("CapAdd"),
        "no-new-privileges": any(option in ("no-new-privileges", "no-new-privileges:true") for option in options),
        "nothing unconfined": not any("unconfined" in option for option in options),
        "ReadonlyRootfs": host["ReadonlyRootfs"] is True,
        "numeric uid that is not 0": _uid(seen).isdecimal() and _uid(seen) != "0",
        "PidsLimit": 0 < (host.get("PidsLimit") or 0) <= MOST_PIDS[name],
        "Memory": host["Memory"] > 0,
        "MemorySwap equal to Memory": host["MemorySwap"] == host["Memory"],
        "NanoCpus": host["NanoCpus"] > 0,
        "IpcMode private": host["IpcMode"] == "private",
        "not Privileged": host["Privileged"] is False,
        "no docker.sock": not any("docker.sock" in str(mount) for mount in seen["Mounts"]),
        "log rotation": log.get("Type") == "json-file" and log.get("Config") == {"max-size": "1m", "max-file": "3"},
        "unless-stopped": host["RestartPolicy"]["Name"] == "unless-stopped",
        "a health check": bool((config.get("Healthcheck") or {}).get("Test")),
        "no core files": any(
            limit["Name"] == "core" and limit["Hard"] == 0 and limit["Soft"] == 0 for limit in host.get("Ulimits") or []
        ),
    }


def _uid(seen: dict[str, Any]) -> str:
    return str(seen["Config"]["User"]).split(":")[0]


def _mounts(seen: dict[str, Any]) -> dict[str, bool]:
    return {mount["Destination"]: mount["RW"] for mount in seen["Mounts"]}
