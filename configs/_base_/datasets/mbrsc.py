"""MBRSC aerial imagery of Dubai: 5 classes, 128 x 128 patches, as the converter leaves them in data/mbrsc.

Validation reads part 005 (splits/val.txt), so that settings are not chosen on the test part.
"""

_base_ = './labelled_small.py'

train_dataloader = dict(dataset=dict(palette='mbrsc', data_root='data/mbrsc'))
test_dataloader = dict(dataset=dict(palette='mbrsc', data_root='data/mbrsc'))
val_dataloader = dict(num_workers=1, dataset=dict(palette='mbrsc', data_root='data/mbrsc', ann_file='splits/val.txt'))
