"""Break an example backend in many ways, and print what the testing kit says of each.

Run with the name of the backend's package. Each mutation takes the backend's own functions and makes one wrong in one
way: a mistake that somebody could make.
"""

from __future__ import annotations

import functools
import inspect
import json
import sys
import types
import warnings
from importlib import import_module

import example_host
import numpy as np
from example_host._backends import dispatcher
from example_host.testing import CHECKS

from scverse_backends.testing import check_backend, run_conformance, temporary_backend


def wrapped(function, body, **renamed):
    """Return a function of the same signature, but for renamed parameters, with another body."""
    signature = inspect.signature(function)
    back = {new: old for old, new in renamed.items()}

    @functools.wraps(function)
    def broken(*args, **kwargs):
        return body(*args, **{back.get(name, name): value for name, value in kwargs.items()})

    parameters = [p.replace(name=renamed.get(p.name, p.name)) for p in signature.parameters.values()]
    broken.__signature__ = signature.replace(parameters=parameters)
    del broken.__wrapped__
    return broken


def changed(exports, name, change):
    """Return the exports with one result changed."""
    function = exports[name]
    return exports | {name: wrapped(function, lambda *args, **kwargs: change(function(*args, **kwargs)))}


def wrong_default(exports):
    broken = wrapped(exports["embed"], exports["embed"])
    parameters = broken.__signature__.parameters
    other = [p.replace(default=3) if p.name == "n_components" else p for p in parameters.values()]
    broken.__signature__ = broken.__signature__.replace(parameters=other)
    return exports | {"embed": broken}


def renamed_required_parameter(exports):
    return exports | {"embed": wrapped(exports["embed"], exports["embed"], data="dataset")}


def renamed_option(exports):
    return exports | {
        "compute_score": wrapped(exports["compute_score"], exports["compute_score"], features="feature_set")
    }


def undocumented_option(exports):
    def embed(*args, threads=1, **kwargs):
        return exports["embed"](*args, **kwargs)

    signature = inspect.signature(exports["embed"])
    threads = inspect.Parameter("threads", inspect.Parameter.KEYWORD_ONLY, default=1)
    embed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), threads])
    embed.__doc__ = exports["embed"].__doc__
    return exports | {"embed": embed}


def misspelt_export(exports):
    others = {name: function for name, function in exports.items() if name != "compute_score"}
    return others | {"compute_scores": exports["compute_score"]}


def wrong_numerics(exports):
    return changed(exports, "embed", lambda result: result * 1.01)


def wrong_sign(exports):
    return changed(exports, "embed", np.negative)


def wrong_shape(exports):
    return changed(exports, "compute_score", lambda result: result[:, np.newaxis])


def single_wrong_sample(exports):
    def change(result):
        result = np.array(result)
        result[-1] += 0.1 + abs(result[-1])
        return result

    return changed(exports, "compute_score", change)


def raising(exports):
    def body(*args, **kwargs):
        raise NotImplementedError("not yet on this device")

    return exports | {"embed": wrapped(exports["embed"], body)}


def never_dispatching(exports):
    return exports | {"embed": example_host.embed}


def ignored_option(exports):
    embed = exports["embed"]

    def body(*args, scale=False, **kwargs):
        return embed(*args, **kwargs)

    return exports | {"embed": wrapped(embed, body)}


def data_overwritten(exports):
    score = exports["compute_score"]

    def body(data, *args, **kwargs):
        result = score(data, *args, **kwargs)
        if isinstance(data, np.ndarray):
            data += 1
        return result

    return exports | {"compute_score": wrapped(score, body)}


def nan_accepted(exports):
    embed = exports["embed"]
    return exports | {
        "embed": wrapped(embed, lambda data, *args, **kwargs: embed(np.nan_to_num(data), *args, **kwargs))
    }


def not_callable(exports):
    return exports | {"embed": "embed"}


def always_declining(exports):
    embed = wrapped(exports["embed"], exports["embed"])
    embed.can_run = lambda *args, **kwargs: "out of memory"
    return exports | {"embed": embed}


def broken_can_run(exports):
    embed = wrapped(exports["embed"], exports["embed"])
    embed.can_run = True
    return exports | {"embed": embed}


def failing_lazily(exports):
    return {name: function for name, function in exports.items() if name != "embed"}


MUTATIONS = [
    wrong_default,
    renamed_required_parameter,
    renamed_option,
    undocumented_option,
    misspelt_export,
    wrong_numerics,
    wrong_sign,
    wrong_shape,
    single_wrong_sample,
    raising,
    never_dispatching,
    ignored_option,
    data_overwritten,
    nan_accepted,
    not_callable,
    always_declining,
    broken_can_run,
    failing_lazily,
]


def adapter_of(exports):
    """Return an adapter module; what the original lists and the mutation took away fails when it is asked for."""

    def __getattr__(name):
        raise ImportError(f"{name} needs a library that is not installed")

    adapter = types.ModuleType("mutated")
    lost = ["embed"] if "embed" not in exports else []
    vars(adapter).update(name="mutated", **exports, __all__=[*exports, *lost], __getattr__=__getattr__)
    return adapter


def findings(exports):
    """Return what the testing kit says against an adapter of these exports, the most telling first."""
    with temporary_backend(dispatcher, adapter_of(exports), name="mutated"):
        report = check_backend(dispatcher, "mutated")
        results = run_conformance(
            backend_name="mutated",
            tests=CHECKS,
            get_backend=dispatcher.get_backend,
            raise_on_failure=False,
            require_dispatch=True,
        )
    found = [f"check: {problem.subject}: {problem.message}" for problem in report if problem.severity != "note"]
    for function, result in results.items():
        if result.startswith("FAILED"):
            found.append(f"conformance: {function}: {' '.join(result.split())[:200]}")
    return found


def main(package):
    """Print the findings of every mutation as JSON."""
    original = import_module(f"{package}._backends.example_host")
    exports = {name: getattr(original, name) for name in original.__all__}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = {"untouched": findings(exports)}
        for mutation in MUTATIONS:
            told[mutation.__name__] = findings(mutation(dict(exports)))
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main(sys.argv[1])
