"""Many runs, one conclusion: what reconstruction costs in KL."""
