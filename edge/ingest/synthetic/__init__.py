"""A seeded procedural street with ground truth: footage that nobody had to film.

Three kinds: a `precinct` for pedestrians, a `road` with cars, a `shop`. ``scene_seed`` fixes the
place, ``seed`` the people; anomalies are planted. What is anomalous depends on the kind.
"""

from edge.ingest.synthetic.behaviour import ANOMALIES, LINGER_S, Anomaly
from edge.ingest.synthetic.scene import KINDS, Kind
from edge.ingest.synthetic.source import SyntheticSource, parse_street
from edge.ingest.synthetic.splits import Splits, street_splits
from edge.ingest.synthetic.street import Street, StreetOptions
from edge.ingest.synthetic.world import Planted

__all__ = [
    "ANOMALIES",
    "KINDS",
    "LINGER_S",
    "Anomaly",
    "Kind",
    "Planted",
    "Splits",
    "Street",
    "StreetOptions",
    "SyntheticSource",
    "parse_street",
    "street_splits",
]
