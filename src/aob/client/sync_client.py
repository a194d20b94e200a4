"""Every verb as a blocking method, made of the async client; `python -m tools.make_client` writes the types."""

from aob.client.async_client import AsyncClient
from aob.client.blocking import blocking

Client = blocking(AsyncClient)
