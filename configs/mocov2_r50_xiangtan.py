"""MoCo v2 pretraining of ResNet-50 on Xiangtan, the baseline of false_mocov2_r50_xiangtan.py.

Command: tools/dist_train.sh configs/mocov2_r50_xiangtan.py 8
         python tools/train.py configs/mocov2_r50_xiangtan.py --cfg-options train_dataloader.batch_size=256
Global batch: 256 images, 32 on each of 8 processes; one process takes 256 by the second command.
Queue: 3,072 keys: at most a quarter of the patches, 21,760 as the converter cuts them and 16,051 in the paper, and a
multiple of 256, 512 and 1,024.
Hardware: 8 GPUs or one, memory not yet measured.
Result: not yet measured.
"""

_base_ = [
    '_base_/models/mocov2_r50.py',
    '_base_/datasets/unlabelled_8x32.py',
    '_base_/schedules/mocov2_200e.py',
    '_base_/pretraining.py',
]

model = dict(queue_len=3072)
train_dataloader = dict(dataset=dict(data_root='data/xiangtan'))
