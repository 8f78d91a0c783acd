"""The settings of a run: what each may be, checked where the configuration is composed, before torch is imported."""
