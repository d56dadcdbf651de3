"""FALSE pretraining of ResNet-50 on Xiangtan: simclr_r50_xiangtan.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_r50_xiangtan.py --amp
Data, global batch and hardware: as simclr_r50_xiangtan.py.
Determination: evidence by appearance, as in false_simclr_r18_mbrsc.py.
Result: not yet measured.
"""

_base_ = [
    '_base_/models/false_simclr_r50.py',
    '_base_/datasets/unlabelled.py',
    '_base_/schedules/simclr_200e.py',
    '_base_/pretraining.py',
]

train_dataloader = dict(dataset=dict(data_root='data/xiangtan', evidence=dict(type='ViewAppearance')))
