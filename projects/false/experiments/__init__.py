"""Experiments that run several commands: resumable steps, and the quickstart and benchmarks built on them."""
