"""From the command line of ``public add`` to what videos are prepared with."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aggregator.first_model import read_first_model
from aggregator.public.add import Describing, Means
from aggregator.public.asking import Asker, Budget, Exchanges
from aggregator.public.calibration import Calibrator
from aggregator.public.captions import Captioner, ChatCaptioner, read_captions
from aggregator.public.endpoint import Endpoint
from aggregator.public.folder import PublicFolder
from aggregator.public.labels import read_categories
from aggregator.public.text import open_texts
from aggregator.public.watching import Onlooker, Watcher
from edge.compose import make_detector, make_perception
from edge.config import DetectorSection
from edge.errors import ConfigError, FeatureVersionError
from edge.model.artifact import Sampling
from edge.model.backbone import load_backbone
from edge.model.folder import sha256
from edge.model.spec import Head, StudentSpec
from edge.scoring.student import INPUTS

DEFAULT_HEAD: Head = "density"  # of a host that is told nothing else
CAPTIONERS = "transformers:MODEL or openai:URL#MODEL"


@dataclass(frozen=True, slots=True)
class _Endpoints:
    """What the endpoints of one run have in common."""

    exchanges: Exchanges
    budget: Budget
    timeout_s: float

    def asker(self, option: str, which: str, key_name: str | None) -> Asker:
        """``key_name``: of the variable that holds its key; no other endpoint gets that one."""
        kind, _, address = which.partition(":")
        if kind != "openai":
            raise ConfigError(f"{option} {which!r}: name openai:URL#MODEL")
        key = os.environ.get(key_name) if key_name else None
        endpoint = Endpoint.parse(address, key=key, timeout_s=self.timeout_s)
        return Asker(endpoint, self.exchanges, self.budget)


def make_means(options: argparse.Namespace, folder: PublicFolder, budget: Budget) -> Means:
    """Everything is opened and checked, nothing asked or written.

    Raises ConfigError, DatasetError, FeatureVersionError or ModelError where a part cannot be used.
    """
    sampling = Sampling(options.analysis_hz, options.max_width)
    endpoints = _Endpoints(Exchanges(folder.exchanges), budget, options.timeout)
    calibrator = None
    if options.calibrate:
        asker = endpoints.asker("--calibrate", options.calibrate, options.api_key_env)
        categories = read_categories(options.categories)
        calibrator = Calibrator(asker, categories, most_rounds=options.describe_again)
    return Means(
        watcher=_watcher(_detector_section(options), _head(options.model), sampling),
        texts=open_texts(options.texts),
        onlooker=Onlooker(load_backbone(options.visual), sampling) if options.visual else None,
        describing=Describing(
            written=read_captions(options.captions) if options.captions else {},
            captioner=_captioner(options, endpoints) if options.captioner else None,
            every_s=options.every,
            most=options.frames,
            max_width_px=options.max_width,
        ),
        calibrator=calibrator,
    )


def _watcher(section: DetectorSection, head: Head, sampling: Sampling) -> Watcher:
    detector = make_detector(section)
    name = "motion"
    if section.model is not None:
        name = f"{sha256(section.model.read_bytes())[:12]} from {section.min_confidence}"
    perception = partial(make_perception, section, detector)
    return Watcher(perception, detector=name, head=head, sampling=sampling)


def _detector_section(options: argparse.Namespace) -> DetectorSection:
    if options.detector is None and options.detector_labels is not None:
        raise ConfigError("--detector-labels goes with --detector FILE: motion knows no classes")
    if options.detector is None:
        return DetectorSection()
    return DetectorSection(kind="onnx", model=options.detector, labels=options.detector_labels)


def _head(path: Path | None) -> Head:
    """What the federation's students read: its first model says it."""
    if path is None:
        return DEFAULT_HEAD
    model = read_first_model(path)
    head = StudentSpec.from_json(model.student).head
    computed = tuple(spec.spec_version for spec in INPUTS[head])
    if model.spec_versions != computed:
        raise FeatureVersionError(
            f"{path}: its students read {', '.join(model.spec_versions)}, this program measures "
            f"{', '.join(computed)} for head {head}: begin the federation with a model of it"
        )
    return head


def _captioner(options: argparse.Namespace, endpoints: _Endpoints) -> Captioner:
    kind, _, where = options.captioner.partition(":")
    if kind == "openai":
        key_name = options.captioner_key_env
        return ChatCaptioner(endpoints.asker("--captioner", options.captioner, key_name))
    if kind != "transformers" or not where:
        raise ConfigError(f"--captioner {options.captioner!r}: name {CAPTIONERS}")
    # imported late: only who names such a model needs these libraries
    from aggregator.public.pretrained import PretrainedCaptioner

    return PretrainedCaptioner(where)
