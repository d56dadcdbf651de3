"""What every command line tool shares: user errors end in one line on stderr and exit status 2."""

import functools
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from projects.false.errors import InputError


def user_message(error: BaseException) -> str | None:
    """Find the message meant for the user in an exception and everything that caused it.

    MMEngine's registries wrap an error in one sentence per level of the config, and a data loader worker hands over its
    whole traceback as text. Both still carry the original :class:`InputError` message.

    Args:
        error: Any exception.

    Returns:
        The innermost user message as one line, or None if no :class:`InputError` is behind the exception.
    """
    found = None
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, InputError):
            found = str(current)
        current = current.__cause__ or current.__context__
    if found is None:
        return None
    worker_text = re.findall(r'InputError: (.+)', found, flags=re.DOTALL)
    return ' '.join((worker_text[-1] if worker_text else found).split())


def report(message: str) -> None:
    """Print the one line of a user error, once for all processes of a torchrun on this machine that fail alike.

    Any of them may fail alone, so every text counts; the first that has it to say marks that in the folder where
    torchrun keeps its processes' error files. The message goes into the error file, too, since torchrun quotes it at
    the very end, below its own traceback.
    """
    line, file = f'error: {message}', os.environ.get('TORCHELASTIC_ERROR_FILE')
    if file:
        try:
            said = {'message': line, 'extraInfo': {'py_callstack': line, 'timestamp': str(int(time.time()))}}
            Path(file).write_text(json.dumps({'message': said}), encoding='utf-8')
            mark = hashlib.sha256(message.encode(errors='replace')).hexdigest()
            Path(file).parents[1].joinpath(f'said_{mark}').touch(exist_ok=False)
        except FileExistsError:
            return
        except OSError:
            pass  # a line too many is better than none
    print(line, file=sys.stderr)


def report_input_errors(main: Callable[..., int | None]) -> Callable[..., int]:
    """Decorate a tool's ``main`` so that user errors become ``error: ...`` on stderr and exit status 2.

    Any other exception passes through with its traceback: it is a bug, not bad input. Ctrl-C ends with status 130.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        try:
            return main(*args, **kwargs) or 0
        except KeyboardInterrupt:
            print('interrupted', file=sys.stderr)
            return 130
        except Exception as error:
            message = user_message(error)
            if message is None:
                raise
            report(message)
            return 2

    return wrapped
