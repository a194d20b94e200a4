"""Values and their signs flow in, one cell's distinct count, top list, quantiles or bounds with their error flow out.

Each counts its values one by one up to a cap: nothing is lost there, and a retraction takes back what it says. Above it
a sketch of `datasketches` stands in, which cannot take back: such retractions are counted and told as error.
"""

from aob.core.metric.sketch.counted import EXACT_MAX, Sketch
from aob.core.metric.sketch.distinct import Distinct
from aob.core.metric.sketch.extremes import Extremes
from aob.core.metric.sketch.library import warm
from aob.core.metric.sketch.quantiles import Quantiles
from aob.core.metric.sketch.top import Top

__all__ = ["EXACT_MAX", "Distinct", "Extremes", "Quantiles", "Sketch", "Top", "warm"]
