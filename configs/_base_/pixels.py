"""Normalisation of pixels, the same for pretraining, fine-tuning and test.

Images are uint8 BGR in memory (LoadPatch). Mean and std are ImageNet's, for R, G, B, in grey levels.
"""

model = dict(data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True))
