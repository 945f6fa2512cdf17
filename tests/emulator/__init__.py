"""An emulator of the services, for tests and for trying a cloud configuration without a key.

It speaks as the services do, HTTP with streamed events, WebSocket and gRPC, so that the real client libraries are its
clients, and does what it is told with each request: delays, errors (401, 404, 429 with Retry-After, 500, 503), silence
with and without signs of life, slow drips, streams that stall, are cut or end too soon, nonsense, wrong types. ::

    with Emulator() as emulator:
        emulator.knows["when do we launch"] = ("On the third of June",)
        emulator.script("chat", Does(status=503), Does(comments_s=5.0))   # the next two requests, then Does()

By hand: ``python -m tests.emulator`` prints its addresses and the variables that point sottovoce at them.

`server` is the server for HTTP and what it is told to do, `services` what OpenAI and Gemini say, `sockets` OpenAI's
realtime transcription, `voices` Google's voices, `relay` what cuts their connections.
"""

from tests.emulator.server import Does, Emulator, Request

__all__ = ["Does", "Emulator", "Request"]
