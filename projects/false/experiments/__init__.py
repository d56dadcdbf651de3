"""Runs made of several commands: steps that are skipped once done, and the quickstart made of them."""
