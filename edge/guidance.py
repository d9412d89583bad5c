"""From the posts of a host to the desk of its guidance in words."""

from __future__ import annotations

from collections.abc import Mapping

from edge.alerts.publisher import Publisher
from edge.compose import make_zones
from edge.config import EdgeConfig
from edge.guiding.desk import GuidanceDesk, Place
from edge.guiding.folder import guidance_folder
from edge.guiding.readings import Readings
from edge.post import Post
from edge.wire.broker import Broker
from edge.wire.topics import Topics


def make_guidance(
    config: EdgeConfig,
    posts: Mapping[str, Post],
    *,
    broker: Broker,
    publisher: Publisher,
    topics: Topics,
) -> GuidanceDesk | None:
    """The desk that hands words to the cameras' guides; None: this host has no word model."""
    readers = {name: post.reader for name, post in posts.items() if post.reader is not None}
    if not readers:
        return None
    words = next(iter(readers.values())).words.model  # the same of all
    folder = guidance_folder(config.data_dir)
    places = {}
    for name, reader in readers.items():
        zones = {zone.name: zone.corners for zone in make_zones(posts[name].section)}
        places[name] = Place(reader.guide, zones)
    return GuidanceDesk(
        folder,
        places,
        lambda ask: Readings(words, folder.path / "words", ask=ask),
        broker=broker,
        topics=topics,
        retain=publisher.retain,
        send=publisher.send,
    )
