# ruff: noqa: INP001 - a program that is copied into an image, no package
"""What the containers of the profile `network` run: a SyftBox server, or a client that logs in to it by itself.

`box server`, `box client`, and, for whoever looks on, `box look FILE` and `box follow FILE SECONDS`. Server and client
are SyftBox's own programs; this only gives them their folders, data base and token. The server hands a token to whoever
asks for one, for any address (it runs without e-mail): so it is for one machine, never for the internet.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

BIN = Path("/venv/bin")
SERVER_DATA = Path("/server")
SERVER_PORT = 8080
CLIENT_PORT = 8000  # on the client's own loopback only
START_SECONDS = 90.0  # how long a client waits for its server
FOLLOW_SECONDS = 0.02  # how often a followed file is looked at


def server() -> None:
    """Become the server. Its data base is made anew from its files at each start, as its own command does."""
    os.environ["SYFTBOX_DATA_FOLDER"] = str(SERVER_DATA)
    os.chdir(SERVER_DATA)  # it looks for settings in its working folder
    status = os.spawnv(os.P_WAIT, str(BIN / "syftbox"), ["syftbox", "server", "migrate"])  # noqa: S606 - no shell here
    if status:
        sys.exit(f"the server's data base could not be made (status {status})")
    listen = ["--host", "0.0.0.0", "--port", str(SERVER_PORT)]  # noqa: S104 - a network without a way out
    os.execv(str(BIN / "uvicorn"), ["uvicorn", "syftbox.server.server:app", *listen, "--no-access-log"])  # noqa: S606 - as above


def client(environ: dict[str, str]) -> None:
    """Log in as BOX_EMAIL at BOX_SERVER and become the client whose data folder is BOX_DATA."""
    email, address, data = environ["BOX_EMAIL"], environ["BOX_SERVER"], Path(environ["BOX_DATA"])
    lay_out(data / "datasites" / email, email)
    home = Path(environ["HOME"])
    os.environ |= {
        "SYFTBOX_CLIENT_CONFIG_PATH": str(home / "config.json"),
        "SYFTBOX_EMAIL": email,
        "SYFTBOX_ACCESS_TOKEN": log_in(address, email),
        "SYFTBOX_DATA_DIR": str(data),
        "SYFTBOX_SERVER_URL": address,
        "SYFTBOX_PORT": str(CLIENT_PORT),
    }
    os.chdir(home)
    (data / "syftbox.pid").unlink(missing_ok=True)  # of a container that is gone; numbers repeat in the next one
    os.execv(str(BIN / "syftbox"), ["syftbox", "client", "--service"])  # noqa: S606 - no shell here


def lay_out(datasite: Path, email: str) -> None:
    """Give a datasite that is a mounted volume what the client gives to one that it makes itself."""
    public = datasite / "public"
    public.mkdir(parents=True, exist_ok=True)
    own = f"- path: '**'\n  user: {email}\n  permissions: [admin, create, write, read]\n"
    for folder, more in ((datasite, ""), (public, "- path: '**'\n  user: '*'\n  permissions: [read]\n")):
        rules = folder / "syftperm.yaml"
        if not rules.exists():
            rules.write_text(own + more, encoding="utf-8")


def log_in(address: str, email: str) -> str:
    """An access token of the server for this address, as soon as it answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            token = post(f"{address}/auth/request_email_token", {"email": email})["email_token"]
            query = urllib.parse.urlencode({"email": email})
            return str(post(f"{address}/auth/validate_email_token?{query}", {}, token)["access_token"])
        except urllib.error.HTTPError as error:
            sys.exit(f"the server at {address} refuses {email}: {error}")
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"the server at {address} does not answer: {error}")
            time.sleep(0.25)


def post(url: str, body: dict[str, str], token: str = "") -> dict[str, Any]:
    """The server's JSON answer."""
    headers = {"Content-Type": "application/json", "User-Agent": "cpu-tracker"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - http to our own server
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310 - as above
        document = json.load(reply)
    return dict(document)


def state(path: Path) -> dict[str, Any] | None:
    """A public file as it stands here; None while it is not there or half written (the client writes in place)."""
    try:
        content = path.read_bytes()
        return {
            "path": str(path),
            "seq": json.loads(content)["seq"],
            "sha256": hashlib.sha256(content).hexdigest(),
            "mtime": path.stat().st_mtime,  # at its owner: when it was due; elsewhere: when it was written there
        }
    except (OSError, ValueError):
        return None


def follow(path: Path, seconds: float) -> None:
    """For so long, a line of JSON for each new release that the file shows, with the moment when it was whole here."""
    seq, end = None, time.monotonic() + seconds
    while time.monotonic() < end:
        if (now := state(path)) and now["seq"] != seq:
            seq = now["seq"]
            say({**now, "seen": time.time()})
        time.sleep(FOLLOW_SECONDS)


def say(line: dict[str, Any] | None) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Run one of the four."""
    match arguments:
        case ["server"]:
            server()
        case ["client"]:
            client(dict(os.environ))
        case ["look", path]:
            say(state(Path(path)))
        case ["follow", path, seconds]:
            follow(Path(path), float(seconds))
        case _:
            sys.exit("usage: box server | client | look FILE | follow FILE SECONDS")


if __name__ == "__main__":
    main(sys.argv[1:])
