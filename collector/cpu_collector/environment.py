"""Where the collector runs: walls that must stand before it starts, and what its numbers are of. Pure."""

from __future__ import annotations

from cpu_collector.errors import IsolationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def refuse_shared_uid(uids: Collection[int], publisher_uid: int) -> None:
    """Refuse uids under which host processes and publisher are open to this process (or this one to them).

    With the host's PID namespace the uid is the only wall: the same one reads the other's environment and files.

    Args:
        uids: real, effective and saved uid of this process.
        publisher_uid: the publisher's.

    Raises:
        IsolationError: one of them is 0 or the publisher's.
    """
    if 0 in uids:
        raise IsolationError("runs as root, which no wall holds; run it as a uid of its own (60711 in the image)")
    if publisher_uid in uids:
        raise IsolationError(
            f"runs as uid {publisher_uid}, the publisher's (CPUTRACKER_PUBLISHER_UID), so each could read the other;"
            " run them as different uids, or set CPUTRACKER_ISOLATION=off where that is known and accepted"
        )


def virtual_machine(release: str) -> str:
    """What to say when the CPU measured is a virtual machine's and not the computer's; empty elsewhere.

    Args:
        release: of the kernel (`uname -r`).
    """
    release = release.lower()
    if "linuxkit" in release:
        return "Docker Desktop: what is measured is the CPU of its virtual machine, not of the computer"
    if "microsoft" in release:
        return "WSL 2: what is measured is the CPU of its virtual machine, not of the computer"
    return ""
