"""FLAIR #1 aerial imagery of France: 9 classes, 128 x 128 patches at 0.4 m, as the converter leaves them in data/flair.

Validation reads splits/val.txt, so that settings are not chosen on the test strips. One per cent would be fewer patches
than a batch, so the labels are five per cent.
"""

_base_ = './labelled_small.py'

train_dataloader = dict(dataset=dict(palette='flair', data_root='data/flair', ann_file='splits/train_5pct.txt'))
test_dataloader = dict(dataset=dict(palette='flair', data_root='data/flair'))
val_dataloader = dict(num_workers=1, dataset=dict(palette='flair', data_root='data/flair', ann_file='splits/val.txt'))
