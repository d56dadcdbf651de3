"""What checkpoints of plain MMEngine hold beside tensors: the history of the log, NumPy arrays and numbers.

Everything here only holds data. MMEngine's own list has ``getattr`` in it, which gives a file whatever it asks for.
"""

from pickle import UnpicklingError

import numpy as np
from mmengine.logging import HistoryBuffer


class _History(HistoryBuffer):
    """Unpickles as a HistoryBuffer whose statistics are the class's own, not the file's."""

    def __setstate__(self, state: dict) -> None:
        self.__class__ = HistoryBuffer
        numbers = {name: state[name] for name in ('max_length', '_log_history', '_count_history')}
        self.__setstate__(numbers)


def _name_of_statistic(owner: type, name: str) -> str:
    """Stand in for the ``getattr`` by which pickled histories name their methods; nothing looks at the result."""
    if owner is not _History or name not in ('min', 'max', 'current', 'mean'):
        raise UnpicklingError('GLOBAL getattr was used for more than the statistics of a log')
    return name


_rebuild_array, _rebuild_scalar = np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]
_NUMBER_CODES = '?' + np.typecodes['AllInteger'] + np.typecodes['AllFloat'] + 'SU'

# In the form that torch.serialization.safe_globals takes: a type, or a pair of what is used and the name in the file.
# NumPy 1 and 2 write different names.
HARMLESS = [
    (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
    (_name_of_statistic, 'builtins.getattr'),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in _NUMBER_CODES},
    *((_rebuild_array, f'numpy.{core}.multiarray._reconstruct') for core in ('core', '_core')),
    *((_rebuild_scalar, f'numpy.{core}.multiarray.scalar') for core in ('core', '_core')),
]
