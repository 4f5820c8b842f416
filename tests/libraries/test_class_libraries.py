"""Decorated classes in the hands of the libraries that scientists use with them: section 6.

Needs what `pip install scverse-backends[test]` does not bring, so it has an environment of its own:
`hatch run libraries:test`.
"""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import attrs
import cloudpickle
import joblib
import numpy as np
import pydantic
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone, is_classifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from scverse_backends import BackendDispatcher

DISPATCHER = BackendDispatcher(
    entrypoint_group="class_libraries.backends", host_name="class_libraries", untrusted="allow"
)
settings = DISPATCHER.settings


class PlainEstimator(TransformerMixin, ClassifierMixin, BaseEstimator):
    """Nearest centroid.

    Parameters
    ----------
    shrink
        How much.
    """

    def __init__(self, shrink=0.0, *, copies=1):
        self.shrink = shrink
        self.copies = copies

    def fit(self, X, y):
        """Fit."""
        self.classes_ = np.unique(y)
        self.centroids_ = np.stack([X[y == c].mean(axis=0) for c in self.classes_]) * (1 - self.shrink)
        return self

    def predict(self, X):
        """Predict."""
        check_is_fitted(self)
        distances = ((X[:, None] - self.centroids_) ** 2).sum(axis=2)
        return self.classes_[distances.argmin(axis=1)]

    def transform(self, X):
        """Transform."""
        return X * (1 - self.shrink)

    def get_feature_names_out(self, input_features=None):
        """Names."""
        return np.array(["a", "b"])


@DISPATCHER.backend_class
class Estimator(PlainEstimator):
    # As scikit-learn finds constructor parameters: in the signature of ``__init__``.
    __doc__ = PlainEstimator.__doc__

    def __init__(self, shrink=0.0, *, copies=1):
        super().__init__(shrink, copies=copies)


class FastEstimator(PlainEstimator):
    def __init__(self, shrink=0.0, *, copies=1, speed=1):
        super().__init__(shrink, copies=copies)
        self.speed = speed


@DISPATCHER.backend_class
@attrs.define
class Attrs:
    size: int
    parts: list[int] = attrs.field(factory=list)

    def again(self):
        return __class__(self.size)


@DISPATCHER.backend_class
@attrs.frozen(slots=False)
class FrozenAttrs:
    size: int = attrs.field(validator=attrs.validators.instance_of(int))
    parts: tuple[int, ...] = ()


@DISPATCHER.backend_class
class Pydantic(pydantic.BaseModel):
    """A model."""

    size: int
    parts: list[int] = []

    @pydantic.field_validator("size")
    @classmethod
    def positive(cls, value):
        if value < 0:
            raise ValueError("negative")
        return value


@DISPATCHER.backend_class
@pydantic.dataclasses.dataclass
class PydanticData:
    size: int
    parts: tuple[int, ...] = ()


class Theirs:
    """Backend's class.

    Parameters
    ----------
    speed
        How fast it is.
    """

    def __init__(self, size, parts=(), speed=1):
        self.size, self.speed = size, speed


class Adapter:
    name = "fast"
    Estimator = FastEstimator
    Attrs = FrozenAttrs = Pydantic = PydanticData = Theirs


DISPATCHER.register(Adapter)
CLASSES = [Attrs, FrozenAttrs, Pydantic, PydanticData]
every_class = pytest.mark.parametrize("cls", CLASSES)
X = np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0], [5.0, 6.0]] * 3)
y = np.array([0, 0, 1, 1] * 3)


@every_class
def test_construction_dispatches(cls):
    assert type(cls(size=3)) is cls
    assert type(cls(size=3, backend="cpu")) is cls
    made = cls(size=3, backend="fast", speed=2)
    assert (type(made), made.size, made.speed) == (Theirs, 3, 2)
    with settings.use_backend("fast"):
        assert type(cls(size=3)) is Theirs


@every_class
def test_signature_and_docs(cls):
    DISPATCHER.discover()
    assert list(inspect.signature(cls).parameters) == ["size", "parts", "speed", "backend"]
    sub = type(cls)("Sub", (cls,), {"__module__": __name__})
    assert list(inspect.signature(sub).parameters) == ["size", "parts"]


@every_class
@pytest.mark.parametrize("pickler", [pickle, cloudpickle, "joblib"])
def test_instances_pickle(cls, pickler, tmp_path):
    made = cls(size=3)
    if pickler == "joblib":
        joblib.dump(made, tmp_path / "made")
        assert joblib.load(tmp_path / "made") == made
    else:
        assert pickler.loads(pickler.dumps(made)) == made


def test_attrs_functions():
    assert attrs.asdict(Attrs(3)) == {"size": 3, "parts": []}
    assert attrs.evolve(Attrs(3), size=4) == Attrs(4)
    assert [field.name for field in attrs.fields(Attrs)] == ["size", "parts"]
    assert Attrs(3).again() == Attrs(3)
    with pytest.raises(TypeError, match="int"):
        FrozenAttrs("3")

    @attrs.define
    class Sub(Attrs):
        more: int = 0

    assert Sub(1, [], 2).again() == Attrs(1)


def test_pydantic_functions():
    assert Pydantic.model_validate({"size": "3"}) == Pydantic(size=3)
    assert Pydantic(size=3).model_dump() == {"size": 3, "parts": []}
    assert Pydantic(size=3).model_copy(update={"size": 4}).size == 4
    assert Pydantic.model_validate_json('{"size": 3}').size == 3
    assert list(Pydantic.model_json_schema()["properties"]) == ["size", "parts"]
    with pytest.raises(pydantic.ValidationError, match="negative"):
        Pydantic(size=-1)

    class Outer(pydantic.BaseModel):
        inner: Pydantic

    class Sub(Pydantic):
        more: int = 0

    assert type(Outer(inner={"size": 1}).inner) is Pydantic
    assert (Sub(size=1).more, type(Sub(size=1))) == (0, Sub)
    # A model with fields that are validated by a decorated class stays on the host whatever is selected.
    with settings.use_backend("fast"):
        assert type(Outer(inner={"size": 1}).inner) is Pydantic


def test_sklearn_estimator_is_one():
    host = Estimator(0.5)
    assert clone(host).get_params() == {"shrink": 0.5, "copies": 1}
    assert type(clone(host)) is Estimator
    assert is_classifier(host)
    assert repr(host) == "Estimator(shrink=0.5)"
    assert Estimator().set_params(shrink=0.25).shrink == 0.25
    assert "Estimator" in host._repr_html_()
    fast = Estimator(0.5, backend="fast", speed=3)
    assert type(clone(fast)) is FastEstimator
    assert clone(fast).speed == 3


def test_sklearn_wraps_transform_once():
    # scikit-learn wraps methods when a subclass is made; a class that is built anew must not be wrapped again.
    class Plain(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
        def transform(self, X):
            return X

    decorated = DISPATCHER.backend_class(Plain)
    assert decorated.transform is Plain.transform
    assert decorated._sklearn_auto_wrap_output_keys == set()


@pytest.mark.parametrize("backend", [None, "cpu", "fast"])
def test_sklearn_pipeline_and_search(backend):
    pipeline = make_pipeline(StandardScaler(), Estimator(backend=backend))
    assert type(pipeline[-1]) is (FastEstimator if backend == "fast" else Estimator)
    search = GridSearchCV(pipeline, {pipeline.steps[-1][0] + "__shrink": [0.0, 0.1]}, cv=3)
    assert (search.fit(X, y).predict(X) == y).all()
    restored = pickle.loads(pickle.dumps(search))
    assert (restored.predict(X) == y).all()


def test_clones_of_host_estimators_follow_the_selection():
    # clone() constructs the class again, and constructing looks at the selection.
    with settings.use_backend("fast"):
        assert type(clone(Estimator(backend="cpu"))) is FastEstimator
        assert type(clone(Estimator(backend="fast"))) is FastEstimator


def construct_and_fit(backend: Any):
    return type(Estimator(backend=backend).fit(X, y)).__name__


@pytest.mark.parametrize("how", ["loky", "threading"])
def test_joblib_workers(how):
    found = joblib.Parallel(n_jobs=2, backend=how)(joblib.delayed(construct_and_fit)(b) for b in ("cpu", "fast"))
    assert found == ["Estimator", "FastEstimator"]


def test_numpy_keeps_its_hands_off():
    assert np.asarray([Estimator()], dtype=object).shape == (1,)
