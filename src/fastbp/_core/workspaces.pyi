from .layers import Engine

class Layout:
    def __init__(self, engine: Engine, path: str, sparse: bool, rule: str) -> None: ...
