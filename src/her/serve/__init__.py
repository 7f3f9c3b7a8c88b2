"""The reader's door: an OpenAI-compatible server, and the session behind `her chat`.

Hidden layers leave it only where they were asked for. The web application is in `her.serve.app`, which needs the
`serve` extra and is imported by whoever starts a server.
"""

from her.serve.session import ChatSession, companion
from her.serve.settings import ServeSettings

__all__ = ["ChatSession", "ServeSettings", "companion"]
