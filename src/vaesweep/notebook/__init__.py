"""What a notebook is given: a trained run and a study."""
