"""Has a stream whose client has gone clean up at once, not when Python's collector finds it.

Starlette leaves the generator of a cancelled response where it stood (`stream_response` of its
`responses.py`); until mlx_vlm's generator is closed it counts its request as in flight.
"""

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Send


def patch() -> None:
    """Changes Starlette in place."""
    stream_response = StreamingResponse.stream_response

    async def stream_and_close(self: StreamingResponse, send: Send) -> None:
        try:
            await stream_response(self, send)
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                with anyio.CancelScope(shield=True):
                    await close()

    StreamingResponse.stream_response = stream_and_close
