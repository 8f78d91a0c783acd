"""Classification of images by their codes."""

from dataclasses import dataclass

from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.settings.check_arguments import check_int

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
        if context.declaration.conditional:
            raise NotApplicable("the model is given the class, which its codes therefore leave out")
        train_set, test_set = (
            context.codes(split, max_images).numpy() for split, max_images in (("train", self.images), ("test", None))
        )
        if len(set(train_set[1])) < 2:
            raise NotApplicable("the images have no classes")
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=STEPS)).fit(*train_set)
        count = min(self.neighbours, len(train_set[0]))
        neighbours = KNeighborsClassifier(count).fit(*train_set)
        chance = max((test_set[1] == label).mean() for label in set(test_set[1]))
        return MeasureResult(
            {
                "linear": Value(float(linear.score(*test_set)), "accuracy"),
                "nearest_neighbours": Value(float(neighbours.score(*test_set)), f"accuracy, k = {count}"),
                "chance": Value(float(chance), "accuracy"),
            }
        )
