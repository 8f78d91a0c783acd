from hydra.errors import MissingConfigException

from vaesweep.settings.error_lines import one_line


def test_a_launcher_without_its_package_names_the_extra():
    error = MissingConfigException("In 'hydra/launcher/slurm': Could not load 'hydra/launcher/submitit_slurm'.")
    expected = "hydra/launcher: got submitit_slurm without its package; allowed: pip install -e '.[slurm]' first"
    assert one_line(error) == expected
