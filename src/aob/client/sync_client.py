"""Every verb of the API as a blocking method, made of the async client; the types are in the stub file, which `python
-m tools.make_client` writes."""

from aob.client.async_client import AsyncClient
from aob.client.blocking import blocking

Client = blocking(AsyncClient)
