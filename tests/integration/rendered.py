"""What `docker inspect` will say of a service, foretold from Compose's rendered file. Pure."""

from __future__ import annotations

from typing import Any


def as_inspected(service: dict[str, Any]) -> dict[str, Any]:
    """The parts that tests/integration/checklist.py looks at."""
    mounts = [
        {
            "Source": volume.get("source", ""),
            "Destination": volume["target"],
            "RW": not volume.get("read_only", False),
        }
        for volume in service.get("volumes") or []
    ]
    return {
        "Config": {"User": service.get("user", ""), "Healthcheck": {"Test": _probe(service.get("healthcheck") or {})}},
        "Mounts": mounts,
        "HostConfig": {
            "CapAdd": service.get("cap_add"),
            "CapDrop": service.get("cap_drop"),
            "CpuShares": service.get("cpu_shares", 0),
            "GroupAdd": service.get("group_add"),
            "IpcMode": service.get("ipc", ""),
            "LogConfig": {
                "Type": (service.get("logging") or {}).get("driver", "json-file"),
                "Config": (service.get("logging") or {}).get("options", {}),
            },
            "Memory": int(service.get("mem_limit", 0)),
            "MemorySwap": int(service.get("memswap_limit", 0)),
            "NanoCpus": round(1e9 * service.get("cpus", 0)),
            "NetworkMode": service.get("network_mode") or next(iter(service.get("networks") or {}), "default"),
            "PidMode": service.get("pid", ""),
            "PidsLimit": service.get("pids_limit"),
            "PortBindings": {
                f"{port['target']}/{port['protocol']}": [{"HostIp": port.get("host_ip", "")}]
                for port in service.get("ports") or []
            },
            "Privileged": service.get("privileged", False),
            "ReadonlyRootfs": service.get("read_only", False),
            "RestartPolicy": {"Name": service.get("restart", "no"), "MaximumRetryCount": 0},
            "SecurityOpt": service.get("security_opt"),
            "Ulimits": [_limit(name, limit) for name, limit in (service.get("ulimits") or {}).items()],
        },
    }


def _probe(healthcheck: dict[str, Any]) -> list[str] | None:
    return None if healthcheck.get("disable") else healthcheck.get("test")


def _limit(name: str, limit: dict[str, int] | int) -> dict[str, Any]:
    """Compose leaves a limit of 0 out: `{}` is 0."""
    if isinstance(limit, int):
        return {"Name": name, "Hard": limit, "Soft": limit}
    return {"Name": name, "Hard": limit.get("hard", 0), "Soft": limit.get("soft", 0)}
