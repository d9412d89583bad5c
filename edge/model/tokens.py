"""A text tower: the exported network that turns sentences into embeddings, run without torch.

::

    text.onnx        tokens (N, L) int64 to embeddings (N, d)
    tokenizer.json   for the library ``tokenizers``; pads and cuts every text to L tokens

Only a host that reads sentences by itself needs the library: the extra ``words``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Floats
from edge.errors import ModelError
from edge.model.folder import damaged
from edge.model.runtime import RUNTIME_ERRORS, open_session

if TYPE_CHECKING:
    from tokenizers import Tokenizer

GRAPH, TOKENIZER = "text.onnx", "tokenizer.json"
INPUT, OUTPUT = "tokens", "embeddings"
AT_ONCE = 16  # texts in one run: bounds memory
MISSING = "reading sentences needs the words extra: pip install 'vad-edge[words]'"


class TextTower:
    """Reads sentences; several threads may share it."""

    def __init__(self, folder: Path, width: int) -> None:
        """``width`` d of the embeddings.

        Raises ModelError where the folder holds no such tower, and where the library is missing.
        """
        self._folder, self._width = folder, width
        self._tokenizer = _tokenizer(folder)
        self._session = open_session(folder / GRAPH)
        inputs = [(entry.name, len(entry.shape)) for entry in self._session.get_inputs()]
        outputs = [entry.name for entry in self._session.get_outputs()]
        if inputs != [(INPUT, 2)] or outputs != [OUTPUT]:
            raise ModelError(f"{folder / GRAPH}: takes {inputs}, gives {outputs}: no text tower")

    def tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """What the network is given, (T, L); half a character of UTF-16 counts as a question mark.

        Raises ModelError where the tokenizer does not pad and cut to one length.
        """
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        # one by one: a batch would start a thread for every core
        rows = [self._tokenizer.encode(text).ids for text in clean]
        if len({len(row) for row in rows}) > 1:
            raise damaged(self._folder, f"{TOKENIZER} does not pad and cut to one length")
        return np.array(rows, np.int64)

    def read(self, texts: Sequence[str]) -> Floats:
        """Any sentences, (T, d), not normalised; raises ModelError where it does not run."""
        found = np.zeros((len(texts), self._width), np.float32)
        for begin in range(0, len(texts), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            found[part] = self._run(self.tokens(texts[part]))
        return found

    def _run(self, tokens: npt.NDArray[np.int64]) -> Floats:
        try:
            (embeddings,) = self._session.run([OUTPUT], {INPUT: tokens})
        except RUNTIME_ERRORS as error:
            reason = str(error).splitlines()[0]
            raise damaged(self._folder, f"{GRAPH} does not run ({reason})") from error
        if embeddings.shape != (len(tokens), self._width):
            raise damaged(self._folder, f"{GRAPH} gives {embeddings.shape}, width {self._width}")
        return np.asarray(embeddings, np.float32)


def _tokenizer(folder: Path) -> Tokenizer:
    try:
        from tokenizers import Tokenizer  # an extra: hosts that get embeddings do without
    except ModuleNotFoundError as error:
        raise ModelError(f"{folder}: {MISSING}") from error
    try:
        content = (folder / TOKENIZER).read_text(encoding="utf-8")
        return Tokenizer.from_str(content)
    except OSError as error:
        raise damaged(folder, f"no {TOKENIZER}: {error.strerror or error}") from error
    except Exception as error:  # the library raises its errors as bare Exception
        raise damaged(folder, f"{TOKENIZER} is no tokenizer ({error})") from error
