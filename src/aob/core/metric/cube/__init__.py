"""Events of one type flow in; what they add up to, by combination of dimensions and span of time, flows out.

A cube is a tree of tiles: seconds in minutes in hours in days; what is old is kept in large ones only.
"""

from aob.core.metric.cube.cube import Cube
from aob.core.metric.cube.dimension import Dimensions
from aob.core.metric.cube.grid import Grid
from aob.core.metric.cube.slot import Cell, Slot
from aob.core.metric.cube.tile import NeedsScan, Tile, Tiles

__all__ = ["Cell", "Cube", "Dimensions", "Grid", "NeedsScan", "Slot", "Tile", "Tiles"]
