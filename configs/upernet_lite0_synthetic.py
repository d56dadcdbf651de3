"""UPerNet with 64 channels on EfficientNet-Lite0 with ImageNet weights, fine-tuned on few labels of synthetic scenes.

Command: python tools/train.py configs/upernet_lite0_synthetic.py
         python tools/test.py configs/upernet_lite0_synthetic.py work_dirs/upernet_lite0_synthetic/iter_200.pth
Other initialisations: --cfg-options model.backbone.init_cfg.checkpoint=PATH/backbone.pth, or
    --cfg-options model.backbone.init_cfg=None for random weights.
Global batch: 8 on one process. Hardware: two CPU cores.
The last iteration is the result. Result: docs/results.md.
"""

_base_ = [
    '_base_/models/upernet_lite0.py',
    '_base_/datasets/synthetic.py',
    '_base_/schedules/upernet_small_known.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(128, 128)), decode_head=dict(num_classes=7), auxiliary_head=dict(num_classes=7)
)
