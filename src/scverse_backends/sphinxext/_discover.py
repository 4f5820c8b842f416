"""Load the backends of a host before its documentation is read."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from sphinx.errors import ConfigError
from sphinx.util import logging

from scverse_backends._inside.hosts import HostError, whole_host
from scverse_backends.exceptions import BackendWarning, UntrustedBackendWarning

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from scverse_backends import BackendDispatcher

_logger = logging.getLogger(__name__)


def discover_hosts(app: Sphinx) -> None:
    """Load the backends of the hosts that ``backends_discover`` in ``conf.py`` lists."""
    for host in app.config.backends_discover:
        try:
            discover(host)
        except HostError as error:
            raise ConfigError(f"backends_discover in conf.py: {error}") from error


def discover(host: str) -> list[BackendDispatcher]:
    """Load all backends of a host, and report what is wrong with them to Sphinx.

    Raises
    ------
    HostError
        If the host cannot be imported, or makes no dispatcher.
    """
    # Functions of a part that is imported later would show no option.
    dispatchers, missing = whole_host(host)
    for problem in missing:
        _logger.info("%s", problem)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BackendWarning)
        for dispatcher in dispatchers:
            dispatcher.discover()
    for one in caught:
        if not issubclass(one.category, BackendWarning):
            warnings.showwarning(one.message, one.category, one.filename, one.lineno, one.file, one.line)
        elif issubclass(one.category, UntrustedBackendWarning):
            # Whoever builds the documentation installed it on purpose.
            _logger.info("%s", one.message)
        else:
            _logger.warning("%s", one.message, type="backends", subtype="load")
    return dispatchers
