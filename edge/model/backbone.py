"""A backbone: the exported network that turns pictures into embeddings, run without torch.

::

    manifest.json        what it takes and gives, licences, parity, sha256 of the rest
    backbone.onnx        pictures (N, 3, H, W), or clips (N, 3, T, H, W), to embeddings (N, d)
    golden.safetensors   a few pictures, and the embeddings that the original computed for them

Read strictly: nobody gets a backbone whose graph does not reproduce the golden embeddings as
closely as its manifest promises. Folders appear whole, by renaming.
"""
