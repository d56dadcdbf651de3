"""FALSE pretraining of ResNet-50 on DGLC (DeepGlobe Land Cover), MoCo v2 form.

mocov2_r50_dglc.py with another loss in the head.

Command: tools/dist_train.sh configs/false_mocov2_r50_dglc.py 8
         python tools/train.py configs/false_mocov2_r50_dglc.py --cfg-options train_dataloader.batch_size=256
Data, global batch, queue and hardware: as mocov2_r50_dglc.py.
Determination: evidence by appearance, as in false_simclr_r18_mbrsc.py; the queue remembers how its keys looked.
Result: not yet measured.
"""

_base_ = [
    '_base_/models/false_mocov2_r50.py',
    '_base_/datasets/unlabelled_8x32.py',
    '_base_/schedules/mocov2_200e.py',
    '_base_/pretraining.py',
]

train_dataloader = dict(dataset=dict(data_root='data/dglc', evidence=dict(type='ViewAppearance')))
