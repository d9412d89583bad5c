"""Makes everything that a new host needs to join, and everything that the broker needs to let it.

The aggregator's folder::

    ca.crt ca.key               the site's certificate authority; ca.key is the crown jewel
    participants.yaml           public keys of the hosts
    aggregator.crt aggregator.key signing.key signing.pub
    broker/                     broker.crt broker.key ca.crt acl mosquitto.conf: copy to the broker
    hosts/<host>/               ca.crt host.crt host.key signing.key aggregator.pub edge.yaml:
                                copy to the host over a safe way, then delete here

Keys are made once and never overwritten. A run that was killed is finished by the next one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aggregator.authority import CA_CERT, Authority, open_authority
from aggregator.participants import PARTICIPANTS, read_participants, write_participants
from edge.atomic import write_atomically
from edge.errors import ConfigError, StorageError
from edge.wire.federation_topics import AGGREGATOR, FederationTopics, check_participant
from edge.wire.keys import (
    PUBLIC_MODE,
    SECRET_MODE,
    public_pem,
    read_public_key,
    read_signing_key,
    secret_pem,
    write_once,
)
from edge.wire.words import WordTopics

DISCOVERY_PREFIX = "homeassistant"  # where a host announces its cameras to Home Assistant
SIGNING_KEY, SIGNING_PUB = "signing.key", "signing.pub"


@dataclass(frozen=True, slots=True)
class Site:
    """One federation on one broker, and the folder that holds its keys."""

    folder: Path
    prefix: str  # of all topics
    federation: str
    broker_addresses: Sequence[str]  # host names and IP addresses; hosts are told the first
    broker_port: int = 8883

    @property
    def participants_file(self) -> Path:
        """Names and public keys of the hosts."""
        return self.folder / PARTICIPANTS

    def host_folder(self, host: str) -> Path:
        """What is to be copied to ``host``."""
        return self.folder / "hosts" / host


def prepare(site: Site) -> None:
    """Make what the site needs before its first host; what is there already stays as it is.

    ConfigError where names or existing files cannot be used, StorageError where nothing can be
    written.
    """
    FederationTopics(site.prefix, site.federation)  # refuses names that are none
    if not site.broker_addresses:
        raise ConfigError("the broker's certificate needs a host name or IP address of the broker")
    authority = open_authority(site.folder)
    _issue_once(authority, site.folder, AGGREGATOR)
    _issue_once(authority, site.folder / "broker", "broker", site.broker_addresses)
    _signing_pair(site.folder)
    write_atomically(site.folder / "broker" / CA_CERT, (site.folder / CA_CERT).read_bytes())
    _write_broker_files(site)


def provision(site: Site, host: str) -> Path:
    """Make keys, certificate and configuration of ``host``, and admit it; returns its folder.

    ConfigError where the name cannot be used or the host is registered already.
    """
    check_participant(host)
    if host == "fl":  # its own topics would be those of every federation
        raise ConfigError("host 'fl': the name is taken by the topics of federations")
    prepare(site)
    keys = read_participants(site.participants_file)
    if host in keys:
        raise ConfigError(
            f"host {host} is registered in {site.participants_file}: its keys are not replaced; "
            "delete it there, and its folder, to provision it anew"
        )
    folder = site.host_folder(host)
    if not folder.exists():  # else: an earlier run was killed before it could register
        _make_host_folder(site, host)
    keys[host] = read_public_key(folder / SIGNING_PUB)
    write_participants(site.participants_file, keys)
    _write_broker_files(site)
    return folder


def access_list(prefix: str, federation: str, hosts: Iterable[str]) -> str:
    """The ``acl_file`` of mosquitto: nothing is allowed but what it says.

    A host writes its own topics alone, and reads what is meant for it; the aggregator hears its
    questions for embeddings there, and answers them.
    """
    fl, words = f"{prefix}/fl/{federation}", WordTopics(prefix)
    sections = [
        f"user {AGGREGATOR}\n"
        f"topic read {fl}/+/up/#\n"
        f"topic read {fl}/+/blob/#\n"
        f"topic write {fl}/round\n"
        f"topic write {fl}/+/down/#\n"
        f"topic write {fl}/{AGGREGATOR}/#\n"
        f"topic read {words.every_ask}\n"
        f"topic write {words.every_answer}\n"
    ]
    sections += [
        f"user {host}\n"
        f"topic write {fl}/{host}/up/#\n"
        f"topic write {fl}/{host}/blob/#\n"
        f"topic read {fl}/round\n"
        f"topic read {fl}/{host}/down/#\n"
        f"topic read {fl}/{AGGREGATOR}/#\n"
        f"topic readwrite {prefix}/{host}/#\n"
        f"topic write {DISCOVERY_PREFIX}/+/{prefix.replace('/', '-')}-{host}/#\n"
        for host in sorted(hosts)
    ]
    return "\n".join(sections)


def broker_config(port: int, folder: str = "/etc/mosquitto/vad-edge") -> str:
    """mosquitto.conf for the files of ``broker/``, copied to ``folder``."""
    return (
        f"listener {port}\n"
        "allow_anonymous false\n"
        f"cafile {folder}/{CA_CERT}\n"
        f"certfile {folder}/broker.crt\n"
        f"keyfile {folder}/broker.key\n"
        "require_certificate true\n"
        "use_identity_as_username true\n"
        f"acl_file {folder}/acl\n"
        "# by default it drops what a slow subscriber has not taken beyond 1000 messages\n"
        "max_queued_messages 10000\n"
    )


def host_config(site: Site, host: str, folder: str = "/etc/vad-edge/keys") -> dict[str, Any]:
    """The sections of the host's configuration, for its files copied to ``folder``."""
    return {
        "host": host,
        "mqtt": {
            "host": site.broker_addresses[0],
            "port": site.broker_port,
            "prefix": site.prefix,
            "tls": {
                "ca": f"{folder}/{CA_CERT}",
                "cert": f"{folder}/host.crt",
                "key": f"{folder}/host.key",
            },
        },
        "federation": {
            "name": site.federation,
            "signing_key": f"{folder}/{SIGNING_KEY}",
            "aggregator_key": f"{folder}/aggregator.pub",
        },
    }


def _make_host_folder(site: Site, host: str) -> None:
    """All of it, or nothing that is called by the host's name."""
    folder = site.host_folder(host)
    partial = folder.with_name(f".{host}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True, mode=0o700)
        open_authority(site.folder).issue(partial, host)
        (partial / f"{host}.crt").rename(partial / "host.crt")
        (partial / f"{host}.key").rename(partial / "host.key")
        _signing_pair(partial)
        for source, name in ((CA_CERT, CA_CERT), (SIGNING_PUB, "aggregator.pub")):
            write_once(partial / name, (site.folder / source).read_bytes(), PUBLIC_MODE)
        text = yaml.safe_dump(host_config(site, host), sort_keys=False)
        write_once(partial / "edge.yaml", text.encode(), PUBLIC_MODE)
        partial.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error


def _issue_once(
    authority: Authority, folder: Path, name: str, addresses: Sequence[str] = ()
) -> None:
    """A killed run may have left the key without its certificate: then both are made anew."""
    if not (folder / f"{name}.crt").exists():
        (folder / f"{name}.key").unlink(missing_ok=True)
        authority.issue(folder, name, addresses=addresses)


def _signing_pair(folder: Path) -> None:
    secret, public = folder / SIGNING_KEY, folder / SIGNING_PUB
    if not secret.exists():
        write_once(secret, secret_pem(Ed25519PrivateKey.generate()), SECRET_MODE)
    if not public.exists():
        write_once(public, public_pem(read_signing_key(secret).public_key()), PUBLIC_MODE)


def _write_broker_files(site: Site) -> None:
    """From the participants file: it alone says who is let in."""
    hosts = read_participants(site.participants_file)
    broker = site.folder / "broker"
    acl = access_list(site.prefix, site.federation, hosts)
    write_atomically(broker / "acl", acl.encode())
    write_atomically(broker / "mosquitto.conf", broker_config(site.broker_port).encode())
