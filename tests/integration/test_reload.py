"""The module that makes the dispatcher is run again, as ``importlib.reload`` and ``%autoreload`` do (1.7, 1.8)."""

from __future__ import annotations

import pytest

# A host as hosts are laid out: the dispatcher in a module of its own, functions in others.
PACKAGE = {
    "laid_out/__init__.py": "from ._dispatch import settings\nfrom ._functions import double\n",
    "laid_out/_dispatch.py": """
        from scverse_backends import BackendDispatcher
        dispatcher = BackendDispatcher(
            entrypoint_group="hosted.backends",
            host_name="laid_out",
            trusted_backends={"good": {"package": "good-distribution"}},
        )
        other = BackendDispatcher(entrypoint_group="hosted.backends", host_name="laid_out", untrusted="refuse")
        settings = dispatcher.settings
        """,
    "laid_out/_functions.py": """
        from ._dispatch import dispatcher
        @dispatcher.backend_dispatch
        def double(x, *, scale=1):
            return ("cpu", 2 * x * scale)
        """,
    "work.py": """
        import laid_out
        def look(x):
            return laid_out.settings.backend, laid_out.double(x)
        """,
}

PROGRAM = """
import importlib, multiprocessing, pickle, sys
from concurrent.futures import ProcessPoolExecutor
import cloudpickle, laid_out, laid_out._dispatch, laid_out._functions, work

def reload(how):
    if how == "reload":
        importlib.reload(laid_out._dispatch)
    elif how == "import anew":
        del sys.modules["laid_out._dispatch"]
        importlib.import_module("laid_out._dispatch")
    importlib.reload(laid_out._functions)
    importlib.reload(laid_out)

if __name__ == "__main__":
    how, method = sys.argv[1:]
    before = laid_out.settings
    for _ in range(3):
        reload(how)
    settings, dispatcher = laid_out.settings, laid_out._dispatch.dispatcher
    assert settings is not before
    # In this process, each is itself.
    assert pickle.loads(pickle.dumps(settings)) is settings
    assert pickle.loads(pickle.dumps(before)) is before
    assert cloudpickle.loads(cloudpickle.dumps(dispatcher)) is dispatcher
    with settings.use_backend("good"):
        bound = settings.bind(work.look)
        plain = settings.bind(laid_out.double)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        report({
            "bound": pool.submit(bound, 2).result(),
            "plain": pool.submit(plain, 2).result(),
            "unbound": pool.submit(work.look, 2).result(),
            "repr": pool.submit(repr, settings).result(),
            "names": pool.submit(dispatcher.available_backend_names).result(),
            "names of the other": pool.submit(laid_out._dispatch.other.available_backend_names).result(),
        })
"""


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.parametrize("how", ["reload", "import anew"])
def test_settings_and_bound_functions_reach_another_process_after_a_reload(site, how, method):
    site.good()
    site.install("laid-out", modules=PACKAGE)
    found = site.run(PROGRAM, how, method)
    assert found == {
        "bound": ["good", ["good", 4]],
        "plain": ["good", 4],
        "unbound": ["cpu", ["cpu", 4]],
        "repr": "<settings of laid_out: backend='cpu' (default), fallback='explicit'>",
        "names": ["good"],
        "names of the other": [],
    }


def test_what_another_process_does_not_create_is_told_truly(site):
    site.install(
        "laid-out",
        modules={
            "sometimes.py": """
                import os
                from scverse_backends import BackendDispatcher
                made = [BackendDispatcher(entrypoint_group="sometimes.backends", host_name="sometimes")
                        for _ in range(int(os.environ.get("HOW_MANY", "0")))]
                """
        },
    )
    program = """
    import os, pickle, subprocess, sys
    os.environ["HOW_MANY"] = "2"
    import sometimes
    texts = []
    for how_many in "01":
        done = subprocess.run(
            [sys.executable, "-c", "import pickle, sys; pickle.load(sys.stdin.buffer)"],
            input=pickle.dumps(sometimes.made[1].settings), env={**os.environ, "HOW_MANY": how_many},
            capture_output=True,
        )
        texts.append(done.stderr.decode().splitlines()[-1])
    report(texts)
    """
    none, one = site.run(program)
    assert "importing 'sometimes' creates none for group 'sometimes.backends'" in none
    assert "importing 'sometimes' creates only 1 for group 'sometimes.backends'" in one
