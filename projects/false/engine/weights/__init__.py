"""ResNet weights: export, strict loading, and conversion between this project and other libraries."""
