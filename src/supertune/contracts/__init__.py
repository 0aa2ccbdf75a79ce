"""What passes between rooms: small frozen values and the protocols that let rooms stay strangers.

Nothing here imports a heavy library; tensors and models appear in type positions only.
"""

from supertune.contracts.report import (
    Grid,
    HeatMap,
    Histogram,
    IntervalChart,
    LineChart,
    Paragraph,
    Picture,
    Quote,
    Section,
    Series,
)
from supertune.contracts.results import (
    SEVERITIES,
    Event,
    Finding,
    Outcome,
    Prediction,
    Score,
    Severity,
    worst,
)
from supertune.contracts.rows import (
    Columns,
    Features,
    FloatArray,
    IntArray,
    Label,
    Rows,
)
from supertune.contracts.work import (
    Consumer,
    FrozenPrefix,
    Head,
    LearnsBySimilarity,
    ParameterGroup,
    Predictor,
    ReadsLabels,
    Stop,
    Strategy,
    Task,
)

__all__ = [
    "SEVERITIES",
    "Columns",
    "Consumer",
    "Event",
    "Features",
    "Finding",
    "FloatArray",
    "FrozenPrefix",
    "Grid",
    "Head",
    "HeatMap",
    "Histogram",
    "IntArray",
    "IntervalChart",
    "Label",
    "LearnsBySimilarity",
    "LineChart",
    "Outcome",
    "Paragraph",
    "ParameterGroup",
    "Picture",
    "Prediction",
    "Predictor",
    "Quote",
    "ReadsLabels",
    "Rows",
    "Score",
    "Section",
    "Series",
    "Severity",
    "Stop",
    "Strategy",
    "Task",
    "worst",
]
