"""Work that was sent to a place where its backend is missing: the error says where, and what to install (1.8, 9).

Two environments stand for two machines: what one has installed, the other lacks.
"""

from __future__ import annotations

import pytest

# Binds where the backend is, and writes the bound function to a file.
SEND = """
    import pickle, sys, warnings
    warnings.simplefilter("ignore")
    import hosted
    with hosted.settings.use_backend(sys.argv[2].split(",") if "," in sys.argv[2] else sys.argv[2]):
        bound = hosted.settings.bind(hosted.double)
    with open(sys.argv[1], "wb") as file:
        pickle.dump(bound, file)
"""

# Runs it, and hands its error back by pickle, as a pool does.
RECEIVE = """
    import os, pickle, platform, sys
    with open(sys.argv[1], "rb") as file:
        bound = pickle.load(file)
    try:
        bound(1)
    except Exception as error:
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), vars(again), type(again)) == (str(error), vars(error), type(error))
        place = f"process {os.getpid()} on {platform.node()}"
        report([type(again).__name__, str(again).replace(place, "HERE"), vars(again), again.worker == place,
                type(again.__cause__ or error.__cause__).__name__])
"""


@pytest.fixture
def away(site, tmp_path):
    (tmp_path / "away").mkdir()
    return type(site)(tmp_path / "away" / "site")


def send(site, away, tmp_path, names):
    site.run(SEND, tmp_path / "bound.pickle", names)
    return away.run(RECEIVE, tmp_path / "bound.pickle")


@pytest.mark.parametrize("names", ["good", "good,cpu"])
def test_what_is_not_installed_there(site, away, tmp_path, names):
    site.good("good")
    kind, message, data, placed, _ = send(site, away, tmp_path, names)
    assert kind == "UnknownBackendError"
    assert message.startswith("In HERE: Unknown backend 'good' for hosted. ")
    assert message.endswith(
        " Where bind() was called, good-distribution provides it. "
        "Install it for the worker: pip install good-distribution==1.0"
    )
    assert (data["backend"], data["distribution"], data["host"]) == ("good", "good-distribution", "hosted")
    assert placed


def test_a_distribution_without_a_version(site, away, tmp_path):
    site.install(
        "plain",
        modules={"plain_backend.py": "name = 'plain'"},
        entry_points={"plain": "plain_backend"},
        metadata="Metadata-Version: 2.1\nName: plain\n",
    )
    _, message, *_ = send(site, away, tmp_path, "plain")
    assert message.endswith(": pip install plain")


def test_a_trusted_backend_names_its_distribution_itself(site, away, tmp_path, adapter_source):
    source = adapter_source("real")
    site.install("real-backend", modules={"real_backend.py": source}, entry_points={"real": "real_backend"})
    kind, message, data, *_ = send(site, away, tmp_path, "real")
    assert kind == "BackendNotInstalledError"
    assert message == (
        "In HERE: Backend 'real' is known to hosted but not installed. Install it with: pip install real-backend"
    )
    assert data["distribution"] == "real-backend"


def test_what_fails_to_load_there_only(site, away, tmp_path):
    site.good("good")
    away.good("good", body="raise OSError('no device')")
    kind, message, data, placed, cause = send(site, away, tmp_path, "good")
    assert kind == "BackendLoadError"
    assert message.startswith("In HERE: Backend 'good' (entry point 'good' of distribution 'good-distribution')")
    assert "no device" in message
    assert "pip install" not in message
    assert (data["backend"], placed, cause) == ("good", True, "OSError")


def test_what_was_registered_by_hand(site, away, tmp_path):
    program = SEND.replace(
        "import hosted\n", "import hosted\n    hosted.dispatcher.register(type('Mine', (), {'name': 'mine'}))\n"
    )
    site.run(program, tmp_path / "bound.pickle", "mine")
    _, message, data, *_ = away.run(RECEIVE, tmp_path / "bound.pickle")
    assert message.endswith(" Where bind() was called, register() had added it: call that on each worker too.")
    assert data["distribution"] is None


# A pool's workers look for backends without anything bound: they go by the argument, or by the environment.
POOL = """
    import multiprocessing, sys, warnings
    from concurrent.futures import ProcessPoolExecutor
    import hosted

    if __name__ == "__main__":
        found = []
        for method in sys.argv[1:]:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
                for options in ({"backend": "nobody"}, {}):
                    try:
                        pool.submit(hosted.double, 1, **options).result()
                    except ValueError as error:
                        found.append([str(error).partition("Unknown")[0], error.worker])
        try:
            hosted.double(1, backend="nobody")
        except ValueError as error:
            found.append([str(error).partition("Unknown")[0], error.worker])
        report(found)
"""


def test_workers_of_a_process_pool_say_so(site):
    methods = ["spawn", "fork"]
    found = site.run(POOL, *methods, environment={"HOSTED_BACKEND": "missing"}, seconds=90)
    *workers, main = found
    assert len(workers) == 4
    for number, (message, worker) in enumerate(workers):
        assert worker.startswith("worker process ")
        assert message.endswith(f"In {worker}: ")
        assert message.startswith("The environment variable" if number % 2 else "In ")
    assert main == ["", None]
