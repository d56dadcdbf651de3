"""What every command line tool shares: user errors end in one line on stderr and exit status 2."""

import functools
import re
import sys
from collections.abc import Callable

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
            print(f'error: {message}', file=sys.stderr)
            return 2

    return wrapped
