"""Wrong uses of decorated classes: every checker must reject each line that is marked, and no other."""

from __future__ import annotations

from scverse_backends import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="typed_host.backends", host_name="typed_host")


@dispatcher.backend_class
class Model:
    def __init__(self, size: int = 3) -> None:
        self.size = size

    def fit(self, values: list[float]) -> list[float]:
        return values


@dispatcher.backend_class(name="Other")
class Box[T]:
    def __init__(self, content: T) -> None:
        self.content = content


Model(size="text")  # rejected
Model(unknown=3)  # rejected
Model().fit("text")  # rejected
Model().unknown()  # rejected
text: str = Model().size  # rejected
number: int = Box("a").content  # rejected
wrong: Box[int] = Box("a")  # rejected
model: Model = 3  # rejected

# Known limit: a class decorator cannot add to the constructor that checkers see.
Model(size=3, backend="fast")  # rejected

dispatcher.backend_class(3)  # rejected
dispatcher.backend_class(name=3)  # rejected
