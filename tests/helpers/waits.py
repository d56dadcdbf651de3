"""Counts the calls at which a training step would wait for a GPU, on a CPU."""

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

TO_HOST = {'cpu', 'tolist', 'numpy', '__array__'}
"""Methods of a tensor that copy to the host, which on a CPU is no operation."""
OF_VALUES = {'_local_scalar_dense', 'nonzero', 'masked_select', '_unique2', 'unique_dim', 'unique_consecutive', 'equal'}
"""Operators whose result, or its size, the host needs: ``item()``, ``bool()``, boolean indexing, and so on."""
INDEXED = {'index', 'index_put', 'index_put_'}


class Waits:
    """Notes the calls that would wait, by name, while it is entered."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._modes = _Operators(self.calls), _Methods(self.calls)

    def __enter__(self) -> 'Waits':
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class _Operators(TorchDispatchMode):
    def __init__(self, calls: list[str]) -> None:
        super().__init__()
        self.calls = calls

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in OF_VALUES or (name in INDEXED and any(_is_mask(index) for index in args[1])):
            self.calls.append(name)
        return function(*args, **(kwargs or {}))


class _Methods(TorchFunctionMode):
    def __init__(self, calls: list[str]) -> None:
        super().__init__()
        self.calls = calls

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, '__name__', '')
        if name in TO_HOST and isinstance(args[0], Tensor):
            self.calls.append(name)
        return function(*args, **(kwargs or {}))


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)
