"""Experiments of several commands: resumable steps, and the quickstart and benchmarks made of them."""
