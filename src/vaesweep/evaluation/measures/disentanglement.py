"""Disentanglement scores: do latent dimensions match the factors of the data?"""

from dataclasses import dataclass

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.metrics.beta_vae_score import beta_vae_score
from vaesweep.metrics.dci import dci
from vaesweep.metrics.factor_vae_score import factor_vae_score
from vaesweep.metrics.mig import mig
from vaesweep.metrics.sap import sap, sap_linear_svc
from vaesweep.seeded_generator import generator
from vaesweep.settings.check_arguments import check_int


@dataclass(frozen=True)
class Disentanglement:
    """MIG, DCI, SAP, FactorVAE and BetaVAE scores of the posterior means; 1 at best, less for some (see their files).

    DCI and both SAP scores are fitted to `images` training images and scored on as many test images; the others use
    the test images.
    """

    images: int

    def __post_init__(self) -> None:
        check_int("images", self.images)

    def __call__(self, context: EvalContext) -> MeasureResult:
        if context.data.splits["test"].labels.shape[1] < 2:
            raise NotApplicable("the data carry no factors of variation, as shapes and dsprites do")
        if context.declaration.conditional:
            raise NotApplicable("the model is given the class, which its codes therefore leave out")
        train_codes, test_codes = context.codes("train", self.images), context.codes("test", self.images)
        train_set = train_codes.mean.cpu(), train_codes.label.cpu()
        test_set = test_codes.mean.cpu(), test_codes.label.cpu()
        source = generator(context.seed, "factors")
        parts = dci(*train_set, *test_set, context.seed)
        unit = "0 to 1"
        scores = {
            "mig": mig(*test_set),
            "dci_disentanglement": parts.disentanglement,
            "dci_completeness": parts.completeness,
            "dci_informativeness": parts.informativeness,
            "sap": sap(*train_set, *test_set, context.seed),
            "sap_linear_svc": sap_linear_svc(*train_set, *test_set),
            "factor_vae": factor_vae_score(*test_set, source),
            "beta_vae": beta_vae_score(*test_set, source),
        }
        return MeasureResult({name: Value(score, unit) for name, score in scores.items()})
