"""Studies: the names of their jobs, their resuming, and the pool of processes that runs them."""
