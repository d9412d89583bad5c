"""Run a student's graph with given weights, on ONNX Runtime, without torch.

The graph's initialisers are *external*: their names, shapes and types are in the graph, their
values are not. ``add_external_initializers`` puts the values in before the graph is optimised,
copies them, and refuses a wrong shape. The other way, ``add_initializer``, replaces values after
the optimiser has folded the old ones into new constants: the result would be a mixture of both.
"""

from __future__ import annotations

import onnxruntime as ort

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.errors import ModelError
from edge.model.runtime import RUNTIME_ERRORS

INPUT, SCORES, PENULTIMATES = "x", "scores", "penultimate"
ERRORS_ONLY = 3  # a warning of the runtime would be about the small graph's devices


class StudentSession:
    """A student that scores; one thread of its own, safe to call from several."""

    def __init__(self, graph: bytes, weights: Weights) -> None:
        """Raises ModelError where the graph is none, or is not one for these weights."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        try:
            options.add_external_initializers(list(weights), values)
            # a host's other networks may need a GPU; this one is too small to travel there
            self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except RUNTIME_ERRORS as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"student: the graph does not take these weights ({reason})") from None
        inputs = [(entry.name, entry.type) for entry in self._session.get_inputs()]
        outputs = [entry.name for entry in self._session.get_outputs()]
        if inputs != [(INPUT, "tensor(float)")] or outputs != [SCORES, PENULTIMATES]:
            raise ModelError(f"student: not a student's graph: takes {inputs}, gives {outputs}")

    def scores(self, x: Floats) -> Floats:
        """Segments (B, L, d) → scores (B, L); raises ModelError for another width."""
        scores, _ = self.run(x)
        return scores

    def run(self, x: Floats) -> tuple[Floats, Floats]:
        """Segments (B, L, d) → scores (B, L) and penultimate (B, L, 32)."""
        try:
            scores, penultimates = self._session.run([SCORES, PENULTIMATES], {INPUT: x})
        except RUNTIME_ERRORS as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"student: cannot score {x.dtype} {x.shape} ({reason})") from None
        return scores, penultimates
