"""Pretrain or fine-tune: python tools/train.py CONFIG [--work-dir DIR] [--resume] [--cfg-options KEY=VALUE ...]."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.parent_death import end_with_launcher

end_with_launcher()  # before the imports that take seconds

from projects.false.common.command_line import ConfigOptions, check_config, report_input_errors


def parse_arguments() -> argparse.Namespace:
    """Read the command line; the options are OpenMMLab's."""
    parser = argparse.ArgumentParser(description='Pretrain a backbone or fine-tune a segmentation model.')
    parser.add_argument('config', help='config file, for example configs/false_simclr_r50_potsdam.py')
    parser.add_argument('--work-dir', help='where to write logs and checkpoints (work_dirs/<config name>)')
    parser.add_argument(
        '--resume', nargs='?', const='auto', help='continue from the last checkpoint of the work folder, or from a file'
    )
    parser.add_argument('--allow-other-batch', action='store_true', help='resume although the global batch has changed')
    parser.add_argument('--amp', action='store_true', help='mixed precision: bfloat16, or float16 on a GPU without it')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the global batch')
    parser.add_argument('--no-validate', action='store_true', help='leave out the validation during training')
    parser.add_argument('--no-pin-memory', action='store_true', help='no pinned memory in the data loaders')
    parser.add_argument('--no-persistent-workers', action='store_true', help='start the workers anew in every epoch')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


@report_input_errors
def main() -> None:
    """Train."""
    arguments = parse_arguments()
    check_config(arguments.config)

    from projects.false.engine.config import (
        allow_other_batch,
        enable_amp,
        enable_auto_scale_lr,
        load_config,
        set_loaders,
        without_validation,
    )
    from projects.false.engine.launch import alone_in_work_dir, set_resume, train

    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    needs = 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper'
    config = load_config(arguments.config, arguments.cfg_options, arguments.work_dir, arguments.launcher, needs)
    if arguments.amp:
        enable_amp(config)
    if arguments.auto_scale_lr:
        enable_auto_scale_lr(config)
    if arguments.allow_other_batch:
        allow_other_batch(config)
    if arguments.no_validate:
        without_validation(config)
    if arguments.no_pin_memory:
        set_loaders(config, pin_memory=False)
    if arguments.no_persistent_workers:
        set_loaders(config, persistent_workers=False)
    with alone_in_work_dir(config):
        set_resume(config, arguments.resume)
        train(config)


if __name__ == '__main__':
    sys.exit(main())
