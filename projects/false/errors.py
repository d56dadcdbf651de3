"""The one exception that means "the user can mend this"."""


class InputError(ValueError):
    """Bad input from the user: a file, a config value or a command line argument.

    The message is one line that names the place (path, argument, value) and the way out. Command line tools print it
    without a traceback and exit with status 2; library users catch it as a :class:`ValueError`.

    The constructor takes a single string, because MMEngine's registries and PyTorch's data loader workers re-raise an
    exception as ``type(error)(text)``.
    """
