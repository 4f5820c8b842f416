"""Impostors: what is refused is never executed, shown by a file that it would have written (section 3)."""

from __future__ import annotations

import pytest

# The adapter of whoever wants to pass for the trusted backend: importing it is all it needs to do harm.
IMPOSTOR = """
import pathlib
(pathlib.Path(__file__).parents[1] / "executed").write_text("the impostor ran")
name = {name!r}
__name__ = "real_backend"
def double(x): return ("impostor", x)
"""

ASK = """
import hosted, warnings
warnings.simplefilter("ignore")
answers = {}
for name in ("real", "genuine", "Real"):
    try:
        answers[name] = hosted.double(2, backend=name)
    except Exception as error:
        answers[name] = [type(error).__name__, str(error)]
hosted.dispatcher.discover()
table = hosted.dispatcher.backends()
answers["states"] = sorted([info.name, info.state, info.distribution] for info in table)
answers["names"] = hosted.dispatcher.available_backend_names()
repr(table), hosted.dispatcher.explain(hosted.double, "real"), hosted.dispatcher.get_backend("real")
report(answers)
"""

# Name of the distribution, of the entry point, the module file and the object reference.
CASES = {
    "another distribution": ("evil", "real", "real_backend.py", "real_backend"),
    "another distribution, by alias": ("evil", "genuine", "real_backend.py", "real_backend"),
    "another case": ("evil", "REAL", "real_backend.py", "real_backend"),
    "prefix that is only a string prefix": ("real-backend", "real", "real_backend_evil.py", "real_backend_evil"),
    "module elsewhere": ("real-backend", "real", "evil.py", "evil:real_backend"),
    "entry point of another name": ("real-backend", "genuine", "real_backend.py", "real_backend"),
    "name that only begins the same": ("real-backend-evil", "real", "real_backend.py", "real_backend"),
    "white space in the name": ("real backend", "real", "real_backend.py", "real_backend"),
    "look-alike letter": ("re\u0430l-backend", "real", "real_backend.py", "real_backend"),
}


def impostor(site, case, **options):
    distribution, name, file, reference = CASES[case]
    site.install(distribution, modules={file: IMPOSTOR.format(name="real")}, entry_points={name: reference}, **options)


@pytest.mark.parametrize("case", CASES)
def test_an_impostors_code_is_never_executed(site, case):  # 3.2, 3.3
    impostor(site, case)
    site.good()
    answers = site.run(ASK)
    assert not (site.path.parent / "executed").exists()
    for name in ("real", "genuine"):
        kind, message = answers[name]
        assert kind == "BackendNotInstalledError"
        assert "pip install" in message
        assert "real-backend" in message
    assert answers["Real"][0] == "UnknownBackendError"
    assert answers["names"] == ["good"]
    assert "refused" in [state for _, state, _ in answers["states"]]


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][0] != "real-backend"])
def test_beside_an_impostor_the_real_backend_answers(site, case, adapter_source):  # 3.2
    impostor(site, case)
    if CASES[case][2] == "real_backend.py":  # the impostor's module would overwrite the real one
        distribution, name, _, _ = CASES[case]
        (site.path / "real_backend.py").unlink()
        (site.path / f"{site._information(distribution, '1.0')}/entry_points.txt").write_text(
            f"[hosted.backends]\n{name} = evil_backend\n", encoding="utf-8"
        )
        (site.path / "evil_backend.py").write_text(IMPOSTOR.format(name="real"))
    site.install(
        "real-backend", modules={"real_backend.py": adapter_source("real")}, entry_points={"real": "real_backend"}
    )
    answers = site.run(ASK)
    assert not (site.path.parent / "executed").exists()
    assert answers["real"] == answers["genuine"] == ["real", 4]
    assert ["real", "available", "real-backend"] in answers["states"]


@pytest.mark.parametrize("spelling", ["real-backend", "Real_Backend", "REAL.BACKEND", "real--_.backend"])
def test_a_distribution_is_compared_as_pep_503_says(site, spelling, adapter_source):  # 3.2
    site.install(spelling, modules={"real_backend.py": adapter_source("real")}, entry_points={"real": "real_backend"})
    assert site.run(ASK)["real"] == ["real", 4]


@pytest.mark.parametrize(
    "reference", ["real_backend", "real_backend:adapter", "real_backend.inner", "real_backend [cuda]"]
)
def test_what_lies_within_the_module_prefix_is_the_real_one(site, reference, adapter_source):  # 3.2
    source = adapter_source("real")
    site.install(
        "real-backend",
        modules={
            "real_backend/__init__.py": source + "\nimport sys\nadapter = sys.modules[__name__]\n",
            "real_backend/inner.py": source,
        },
        entry_points={"real": reference},
    )
    assert site.run(ASK)["real"] == ["real", 4]


def test_a_verified_package_that_bears_another_name_is_told_from_a_missing_one(site):  # 3.3
    site.install("real-backend", modules={"real_backend.py": "name = 'someone'"}, entry_points={"real": "real_backend"})
    kind, message = site.run(ASK)["real"]
    assert kind == "BackendLoadError"
    assert "'someone'" in message
    assert "pip install" not in message


def test_a_forged_name_at_run_time_is_no_proof(site):  # 3.2
    site.good()
    forged = IMPOSTOR.format(name="real") + "\n__file__ = 'real_backend.py'\n"
    site.install("evil", modules={"evil.py": forged}, entry_points={"harmless": "evil"})
    answers = site.run(ASK)
    # Nothing in the metadata gave it away, so it was imported as the untrusted backend that it claimed to be ...
    assert (site.path.parent / "executed").exists()
    # ... and refused when it showed the name of another.
    assert answers["real"][0] == "BackendNotInstalledError"
    assert ["harmless", "refused", "evil"] in answers["states"]


def test_untrusted_backends_are_never_imported_where_the_host_refuses_them(site):  # 3.5
    site.install(
        "strict",
        modules={
            "strict.py": """
                from scverse_backends import BackendDispatcher
                dispatcher = BackendDispatcher(
                    entrypoint_group="hosted.backends", host_name="strict", untrusted="refuse"
                )

                @dispatcher.backend_dispatch
                def double(x):
                    return ("cpu", x)
                """
        },
    )
    site.install("evil", modules={"evil.py": IMPOSTOR.format(name="evil")}, entry_points={"evil": "evil"})
    found = site.run(
        """
        import strict, warnings
        warnings.simplefilter("ignore")
        strict.dispatcher.discover()
        try:
            strict.double(2, backend="evil")
        except ValueError as error:
            found = [type(error).__name__, str(error)]
        report([*found, strict.double(2), [info.state for info in strict.dispatcher.backends()]])
        """
    )
    assert found[0] == "UnknownBackendError"
    assert "refuse" in found[1]
    assert found[2:] == [["cpu", 2], ["refused"]]
    assert not (site.path.parent / "executed").exists()


def test_who_stands_first_on_the_path_is_taken_for_the_distribution_of_that_name(site, tmp_path, adapter_source):
    # Documented for what it is: metadata tells who somebody says to be. Whoever can put files on the path in front of
    # the installed ones is Python itself for all that can be found out, and needs no backend to run code.
    site.install(
        "real-backend", modules={"real_backend.py": adapter_source("real")}, entry_points={"real": "real_backend"}
    )
    elsewhere = tmp_path / "working directory"
    source = "name = 'real'\ndef double(x): return ('shadow', x)"
    site.install(
        "real-backend",
        version="9.9",
        modules={"real_backend.py": source},
        entry_points={"real": "real_backend"},
        into=elsewhere,
    )
    answers = site.run(ASK, path=[elsewhere])
    assert answers["real"] == ["shadow", 2]
    # What can be seen is seen: there is one backend of that name, and the table tells its version.
    assert answers["states"] == [["real", "available", "real-backend"]]
    # Behind the installed ones on the path, the same files do nothing.
    assert site.run("import sys; sys.path.append(sys.argv[1])\n" + ASK, elsewhere)["real"] == ["real", 4]


def test_a_shadow_of_another_name_is_refused_even_in_front(site, tmp_path):  # 3.2
    elsewhere = tmp_path / "working directory"
    site.install(
        "evil",
        modules={"real_backend.py": IMPOSTOR.format(name="real")},
        entry_points={"real": "real_backend"},
        into=elsewhere,
    )
    answers = site.run(ASK, path=[elsewhere])
    assert answers["real"][0] == "BackendNotInstalledError"
    assert not (tmp_path / "executed").exists()


def test_the_environment_variable_opens_no_way_around(site):  # 1.5, 3.2
    impostor(site, "another distribution")
    found = site.run(
        """
        import hosted
        try:
            hosted.double(2)
        except ImportError as error:
            report(str(error))
        """,
        environment={"HOSTED_BACKEND": "real"},
    )
    assert "HOSTED_BACKEND" in found
    assert "pip install real-backend" in found
    assert not (site.path.parent / "executed").exists()
