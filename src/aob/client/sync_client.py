"""Every verb of the API as a blocking method. Made of the async client; the types stand in the stub beside, which
`python -m tools.make_client` writes."""

from aob.client.async_client import AsyncClient
from aob.client.blocking import blocking

Client = blocking(AsyncClient)
