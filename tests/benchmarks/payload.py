"""What an update of CLAP's network costs to send: megabytes, milliseconds, relative error.

    python -m tests.benchmarks.payload [--steps 60]

The network has the 2.1 M parameters of the paper (2048 features wide), which publishes 6.07 MB per
participant and round. Its delta is that of local training, by SGD and by Adam, on features that
are positive, sparse and of low rank, as those of a network behind a ReLU are. ``normal`` is no
delta but noise: what is left when noise for privacy outweighs it, and about the worst case.

The error is ‖delta − decoded‖ / ‖delta‖, of one round; that of the sum is after ten rounds of
the same delta with error feedback.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from edge.domain.weights import Weights, shapes_of
from edge.federation.feedback import ErrorFeedback
from edge.model.spec import StudentSpec
from edge.model.student import Student, make_student, weights_of
from edge.wire.compression import SCHEMES, decode_delta, encode_delta

CLAP_MB = 6.07
INPUTS, BATCH, RANK = 2048, 256, 64
ROUNDS = 10
REPEATS = 5
OPTIMISERS = {
    "sgd": lambda weights: torch.optim.SGD(weights, lr=0.01, momentum=0.9, weight_decay=1e-3),
    "adam": lambda weights: torch.optim.Adam(weights, lr=1e-4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60, help="of local training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    deltas = {name: trained(name, options.steps) for name in OPTIMISERS}
    deltas["normal"] = noise_like(deltas["sgd"])
    size = sum(array.size for array in deltas["sgd"].values())
    print(f"{size / 1e6:.2f} M parameters; CLAP publishes {CLAP_MB} MB")
    print("delta   scheme      MB  of CLAP's  encode ms  decode ms   error  error of the sum")
    for kind, delta in deltas.items():
        for scheme in SCHEMES:
            print(f"{kind:7} {scheme:7}", row(delta, scheme))


def trained(optimiser: str, steps: int) -> Weights:
    torch.manual_seed(7)
    student = make_student(StudentSpec("clap", INPUTS), seed=7)
    before = weights_of(student)
    mixing = torch.randn(RANK, INPUTS) / RANK**0.5
    step = OPTIMISERS[optimiser](student.parameters())
    for _ in range(steps):
        step.zero_grad()
        loss_of_a_batch(student, mixing).backward()
        step.step()
    after = weights_of(student)
    return {name: after[name] - before[name] for name in after}


def loss_of_a_batch(student: Student, mixing: torch.Tensor) -> torch.Tensor:
    target = (torch.rand(1, BATCH) < 0.3).float()
    causes = torch.randn(1, BATCH, RANK)
    causes[..., 0] += 2 * target[0]
    x = torch.relu(causes @ mixing + 0.3 * torch.randn(1, BATCH, INPUTS) - 0.3)
    return student.loss(x, target, torch.ones_like(target))


def noise_like(delta: Weights) -> Weights:
    generator = np.random.default_rng(7)
    return {n: 1e-3 * generator.normal(size=a.shape).astype(np.float32) for n, a in delta.items()}


def row(delta: Weights, scheme: str) -> str:
    shapes = shapes_of(delta)
    payload = encode_delta(delta, scheme)
    megabytes = len(payload) / 1e6
    encode_ms = best_ms(lambda: encode_delta(delta, scheme))
    decode_ms = best_ms(lambda: decode_delta(payload, shapes))
    error = distance(delta, decode_delta(payload, shapes))
    return (
        f"{megabytes:6.3f} {megabytes / CLAP_MB:9.1%} {encode_ms:10.0f} {decode_ms:10.0f} "
        f"{error:8.4f} {error_of_the_sum(delta, scheme):12.4f}"
    )


def error_of_the_sum(delta: Weights, scheme: str) -> float:
    feedback = ErrorFeedback()
    total = {name: np.zeros_like(array) for name, array in delta.items()}
    for _ in range(ROUNDS):
        payload, residual = feedback.propose(delta, scheme)
        feedback.commit(residual)
        for name, array in decode_delta(payload, shapes_of(delta)).items():
            total[name] += array / ROUNDS
    return distance(delta, total)


def best_ms(work: Callable[[], object]) -> float:
    """Of several: the machine has other things to do."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return 1e3 * min(times)


def distance(delta: Weights, other: Weights) -> float:
    lost = sum(np.square(delta[n] - other[n], dtype=float).sum() for n in delta)
    return float((lost / sum(np.square(a, dtype=float).sum() for a in delta.values())) ** 0.5)


if __name__ == "__main__":
    main()
