"""An emulator of the services, for tests and for trying a cloud configuration without a key.

It speaks HTTP as the services do, so that the real client libraries are its clients, and does what it is told with each
request: delays, errors, stalls, streams that are cut, nonsense. ::

    with Emulator() as emulator:
        emulator.knows["when do we launch"] = ("On the third of June",)
        emulator.script("chat", Does(status=503), Does(comments_s=5.0))   # the next two requests, then Does()

By hand: ``python -m tests.emulator`` prints its address and the variables that point sottovoce at it.
"""

from tests.emulator.server import Does, Emulator, Request

__all__ = ["Does", "Emulator", "Request"]
