"""Classification of images by their codes."""

from dataclasses import dataclass

from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaesweep.checks import check_int
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.result import MeasureResult, NotApplicable, Value

STEPS = 2000


@dataclass(frozen=True)
class Probe:
    """Test accuracy of a linear probe (logistic regression on standardised codes) and of `neighbours` nearest codes.

    Both are fitted to posterior means of `images` training images; `chance` is the share of the largest class.
    """

    images: int
    neighbours: int

    def __post_init__(self) -> None:
        check_int("images", self.images)
        check_int("neighbours", self.neighbours)

    def __call__(self, context: EvalContext) -> MeasureResult:
        if context.declared.conditional:
            raise NotApplicable("the model is given the class, which its codes therefore leave out")
        known, asked = (context.codes(split, most).numpy() for split, most in (("train", self.images), ("test", None)))
        if len(set(known[1])) < 2:
            raise NotApplicable("the images have no classes")
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=STEPS)).fit(*known)
        near = KNeighborsClassifier(min(self.neighbours, len(known[0]))).fit(*known)
        share = max((asked[1] == label).mean() for label in set(asked[1]))
        return MeasureResult(
            {
                "linear": Value(float(linear.score(*asked)), "accuracy"),
                "nearest_neighbours": Value(float(near.score(*asked)), f"accuracy, k = {self.neighbours}"),
                "chance": Value(float(share), "accuracy"),
            }
        )
