"""What can be set about writing a token store."""

from pydantic import Field

from bertsmith._settings import Settings

__all__ = ["StoreSettings"]


class StoreSettings(Settings):
    """How documents are grouped for writing. Neither setting depends on the number of workers."""

    shard_tokens: int = Field(
        default=2**25,
        ge=1,
        le=2**30,
        description="tokens in a shard; it ends with the document that reaches this number",
    )
    chunk_chars: int = Field(
        default=2**20,
        ge=1,
        description="characters of text that a worker tokenizes at a time; it ends with the "
        "document that reaches this number",
    )
