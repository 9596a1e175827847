from .layers import Layers

class BatchWorkspace:
    kind: tuple[bool, int, int, int] | tuple[()]
    def __init__(
        self, layers: Layers, sparse: bool, n_moments: int, batch_size: int, n_threads: int
    ) -> None: ...
    def help(self) -> None: ...
