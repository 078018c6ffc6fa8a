"""What can be set about writing a token store."""

from typing import Literal

from pydantic import Field

from bertsmith._settings import Settings

__all__ = ["StoreSettings"]


class StoreSettings(Settings):
    """How documents are stored and grouped. No setting depends on the number of workers."""

    shard_tokens: int = Field(
        default=2**23,
        ge=1,
        le=2**30,
        description="tokens in a shard; it ends with the chunk that reaches this number",
    )
    words: Literal["pieces", "jieba"] = Field(
        default="pieces",
        description="what a word is where whole words are masked. pieces: a piece and those after "
        "it that begin with ##. jieba: Chinese words as jieba finds them, stored with the tokens",
    )
    chunk_chars: int = Field(
        default=2**20,
        ge=1,
        description="characters of text that a worker tokenizes at a time; it ends with the "
        "document that reaches this number",
    )
