"""TensorRT engines, built off the hot path and left where ``edge.model.runtime`` looks for them.

``networks`` says which networks there are and in which shapes they will be run, ``build`` makes
the engines. Neither needs torch.
"""
