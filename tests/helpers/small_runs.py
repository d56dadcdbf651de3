"""A recipe with its own pipeline on small patches, built by the real runner."""

from pathlib import Path

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.utils import import_modules_from_strings


def data_of(config):
    return Path(config.train_dataloader.dataset.data_root).name


def on_small_data(path, patches, tmp_path):
    """The recipe with its own pipeline, in sizes that take two cores seconds."""
    config = Config.fromfile(path)
    data = data_of(config)
    size = 128 if data in ('mbrsc', 'synthetic', 'flair') else 64
    root = str(patches(data, size))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if config.get(loader):
            config[loader].update(num_workers=0, persistent_workers=False, batch_size=4)
            config[loader].dataset.data_root = root
    config.work_dir = str(tmp_path / 'run')
    config.experiment_name = f'{path.stem}_{tmp_path.name}'
    config.launcher = 'none'
    config.default_hooks.logger.interval = 1
    if config.model.get('queue_len'):
        config.model.queue_len = config.train_dataloader.batch_size = 2  # a quarter of the eight images
    return config


def build(config):
    import_modules_from_strings(**config.custom_imports)
    return RUNNERS.build(config)
