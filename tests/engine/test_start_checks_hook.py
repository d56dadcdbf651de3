import pytest

from projects.false import InputError
from projects.false.engine.start_checks_hook import check_batches, check_classes, check_processes


def test_not_one_full_batch():
    check_batches(images=64, batch_size=64, batches=1)
    with pytest.raises(InputError, match='10 images do not fill one batch of 64'):
        check_batches(images=10, batch_size=64, batches=0)


def test_classes_of_model_and_data():
    check_classes({'decode_head': 2}, ['field', 'water'])
    check_classes({}, [])
    with pytest.raises(InputError, match=r'model\.auxiliary_head\.num_classes is 3, the data has 2 classes \(a, b\)'):
        check_classes({'decode_head': 2, 'auxiliary_head': 3}, ['a', 'b'])


def test_several_processes():
    check_processes(contrastive=True, processes=1)
    check_processes(contrastive=False, processes=8)
    with pytest.raises(InputError, match='pretraining on 2 processes is not in this version'):
        check_processes(contrastive=True, processes=2)
