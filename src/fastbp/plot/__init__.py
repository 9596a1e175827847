"""Pictures of networks and of their training, drawn with matplotlib.

`Display` classes as scikit-learn has them: ``from_estimator`` computes and draws, ``plot`` draws
again, ``ax_`` and ``figure_`` are what was drawn on.
"""

from .gradient_flow import GradientFlowDisplay
from .learning_rate import LearningRateDisplay
from .loss_curve import LossCurveDisplay
from .loss_surface import LossSurfaceDisplay
from .network import NetworkDisplay
from .sensitivity import SensitivityDisplay
from .stream import StreamDisplay

__all__ = [
    "GradientFlowDisplay",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "LossSurfaceDisplay",
    "NetworkDisplay",
    "SensitivityDisplay",
    "StreamDisplay",
]
