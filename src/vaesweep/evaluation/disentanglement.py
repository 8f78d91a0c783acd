"""Whether latent dimensions are the factors that the data were made from."""

from dataclasses import dataclass

from vaesweep.checks import whole
from vaesweep.evaluation.outcome import Inapplicable, Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.metrics.beta_vae import beta_vae_score
from vaesweep.metrics.dci import dci
from vaesweep.metrics.factor_vae import factor_vae_score
from vaesweep.metrics.mig import mig
from vaesweep.metrics.sap import sap
from vaesweep.seeds import generator


@dataclass(frozen=True)
class Disentanglement:
    """MIG, DCI, SAP, FactorVAE and BetaVAE scores of the posterior means, 1 at best, or what their own files say.

    Scores that learn do so from `images` training images and are taken on as many test images; the others take the
    test images.
    """

    images: int

    def __post_init__(self) -> None:
        whole("images", self.images)

    def __call__(self, subject: Subject) -> Outcome:
        if subject.data.splits["test"].labels.shape[1] < 2:
            raise Inapplicable("the data carry no factors of variation, as shapes and dsprites do")
        if subject.told_class:
            raise Inapplicable("the member is told the class, which its codes therefore leave out")
        train, test = subject.codes("train", self.images), subject.codes("test", self.images)
        known = train.mean.cpu(), train.label.cpu()
        asked = test.mean.cpu(), test.label.cpu()
        source = generator(subject.seed, "factors")
        parts = dci(*known, *asked, subject.seed)
        unit = "0 to 1"
        scores = {
            "mig": mig(*asked),
            "dci_disentanglement": parts.disentanglement,
            "dci_completeness": parts.completeness,
            "dci_informativeness": parts.informativeness,
            "sap": sap(*known, *asked, subject.seed),
            "factor_vae": factor_vae_score(*asked, source),
            "beta_vae": beta_vae_score(*asked, source),
        }
        return Outcome({name: Value(score, unit) for name, score in scores.items()})
