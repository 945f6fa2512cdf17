"""Pages that watch a session, in a process of their own: `-m bench.peers.watchers LINK COUNT` until stdin ends."""

from __future__ import annotations

import http.client
import selectors
import socket
import sys
from urllib.parse import urlsplit


def watch(link: str, count: int) -> int:
    """Read the events of so many connections until stdin ends; how many events came in all."""
    parts = urlsplit(link)
    door = http.client.HTTPConnection(parts.netloc)
    door.request("GET", f"/?{parts.query}")
    cookie = (door.getresponse().getheader("Set-Cookie") or "").partition(";")[0]
    request = f"GET /api/events HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {cookie}\r\n\r\n".encode()
    selector = selectors.DefaultSelector()
    for _ in range(count):
        connection = socket.create_connection((parts.hostname or "", parts.port or 0))
        connection.sendall(request)
        if b" 200 " not in connection.recv(4096):
            raise RuntimeError("the page lets nobody watch")
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print("watching", flush=True)
    events = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                return events
            assert isinstance(key.fileobj, socket.socket)
            read = key.fileobj.recv(1 << 16)
            events += read.count(b"event: ")
            if not read:
                selector.unregister(key.fileobj)


if __name__ == "__main__":
    print(watch(sys.argv[1], int(sys.argv[2])))
