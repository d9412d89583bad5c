"""``vad-aggregator provision``: what a new host, and the broker, need."""

from __future__ import annotations

import argparse

from aggregator.commands.report import answer
from aggregator.config import load_config
from aggregator.provision import Site, prepare, provision


def run(options: argparse.Namespace) -> int:
    """Make what is not there yet; nothing is overwritten."""
    config = load_config(options.config)
    site = Site(
        folder=config.keys_dir,
        prefix=config.mqtt.prefix,
        federation=config.federation,
        broker_addresses=options.broker or [config.mqtt.host],
        broker_port=config.mqtt.port,
    )
    prepare(site)
    folders = {host: str(provision(site, host)) for host in options.hosts}
    lines = [f"{host}: copy {folder} to the host, safely" for host, folder in folders.items()]
    lines.append(f"broker: copy {site.folder / 'broker'} to it and reload its access list")
    answer(
        {"hosts": folders, "broker": str(site.folder / "broker")},
        as_json=options.format == "json",
        text="\n".join(lines),
    )
    return 0
