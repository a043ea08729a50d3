"""The copy for readers of the first generation, which look in `api_data` and count a file for 60 s. Pure.

Re-stamping a value that was already released is post-processing: it costs no ε and says nothing new.

Those readers compare the stamp, which is UTC, with their own local time. So a reader whose clock is set to UTC, or to a
zone behind it, counts a mirror with a heartbeat (one behind by z hours goes on counting it for z hours after the last
one); a reader ahead of UTC counts nobody who stamps in UTC. Running that reader with `TZ=UTC` cures both.
"""

from __future__ import annotations

import json
import time

HEARTBEAT_SECONDS = 30


def restamp(body: bytes, now_ms: int) -> bytes:
    """`body` with its `timestamp` set to `now_ms` (unix ms), everything else as it is.

    Raises:
        ValueError: `body` is not a JSON object with a `timestamp`.
    """
    document = json.loads(body)
    if not isinstance(document, dict) or "timestamp" not in document:
        raise ValueError("the released body has no timestamp")
    document["timestamp"] = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now_ms // 1_000))
    return json.dumps(document, indent=2).encode() + b"\n"
