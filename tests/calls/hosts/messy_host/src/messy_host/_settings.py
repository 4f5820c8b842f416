"""The host's own settings object, which forwards what is ours."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

from messy_host._dispatch import dispatcher

_ours = dispatcher.settings


class Settings:
    verbosity = 1

    @property
    def backend(self):
        return _ours.backend

    @backend.setter
    def backend(self, name):
        _ours.backend = name

    @backend.deleter
    def backend(self):
        del _ours.backend

    use_backend = staticmethod(_ours.use_backend)
    available_backends = staticmethod(_ours.available_backends)
    get_backend = staticmethod(_ours.get_backend)

    @contextmanager
    def override(self, *, backend=None, **values):
        """Change several settings at once, for a block."""
        before = {name: getattr(self, name) for name in values}
        with ExitStack() as stack:
            stack.enter_context(_ours.use_backend(backend))
            stack.callback(vars(self).update, before)
            vars(self).update(values)
            yield self


settings = Settings()
