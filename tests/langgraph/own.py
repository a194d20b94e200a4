"""Types of one's own, in a module that is found by its name."""

import enum
from dataclasses import dataclass

from pydantic import BaseModel


@dataclass
class Order:
    """One's own."""

    number: int


class Model(BaseModel):
    """One's own."""

    number: int


class Colour(enum.Enum):
    """One's own."""

    RED = 1
