"""Aerial-looking scenes with exact labels, drawn layer by layer: terrain, roads, buildings, trees, cars, light."""

from .scene import draw_scene

__all__ = ['draw_scene']
