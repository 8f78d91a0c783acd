"""What runs leave on disk, in their loggers and on the terminal."""
