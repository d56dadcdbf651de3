"""What every room may use: errors, files, threads, locks, random state. Imports nothing else of the project."""
