"""Runs in a container: connect to the hand-off's socket and say what came: a line, nothing, or the error's name."""

import errno
import json
import socket
import sys

peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
peer.settimeout(10)
try:
    peer.connect("/handoff/collector.sock")
    said = peer.recv(512).decode()
except OSError as error:
    said = errno.errorcode.get(error.errno or 0, str(error))
sys.stdout.write(json.dumps(said) + "\n")
