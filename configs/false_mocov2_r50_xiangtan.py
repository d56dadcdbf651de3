"""FALSE pretraining of ResNet-50 on Xiangtan, MoCo v2 form.

mocov2_r50_xiangtan.py with another loss in the head.

Command: tools/dist_train.sh configs/false_mocov2_r50_xiangtan.py 8
         python tools/train.py configs/false_mocov2_r50_xiangtan.py --cfg-options train_dataloader.batch_size=256
Data, global batch, queue and hardware: as mocov2_r50_xiangtan.py.
Determination: anchor_nearest, one key of the queue a query. Temperature 0.2 spreads the cosines, so the gate is lower
than the released 0.9.
Result: not yet measured.
"""

_base_ = './mocov2_r50_xiangtan.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.9, positive_threshold=0.7, determination=dict(type='anchor_nearest')
        )
    )
)
