from .layers import Engine

class Batch:
    kind: tuple[bool, int, int, int] | tuple[()]
    def __init__(
        self, engine: Engine, sparse: bool, n_moments: int, batch_size: int, n_threads: int
    ) -> None: ...
    def help(self) -> None: ...
