from .layers import Layers

class Workspace:
    def __init__(self, layers: Layers, path: str, sparse: bool, rule: str) -> None: ...
