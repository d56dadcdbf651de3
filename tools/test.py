"""Evaluate a fine-tuned model: python tools/test.py CONFIG CHECKPOINT [--out FILE.json]."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.launcher_death import end_with_launcher

end_with_launcher()  # before the imports that take seconds

from mmengine.config import DictAction
from mmengine.dist import is_main_process

from projects.false.command_line import report_input_errors
from projects.false.engine.launch import build_runner, is_first_process, load_config
from projects.false.evaluation.test_run import check_outputs, test, write_scores


def parse_arguments() -> argparse.Namespace:
    """OpenMMLab's arguments."""
    parser = argparse.ArgumentParser(description='mIoU, per-class IoU and overall accuracy of a segmentation model.')
    parser.add_argument('config', help='config file, for example configs/upernet_r50_potsdam.py')
    parser.add_argument('checkpoint', help='checkpoint of the fine-tuned model')
    parser.add_argument('--work-dir', help='where to write the log (work_dirs/<config name>)')
    parser.add_argument('--out', help='JSON file for scores and confusion matrix')
    parser.add_argument('--predictions', help='folder for the predicted index masks (PNG)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override config values, KEY=VALUE')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


@report_input_errors
def main() -> None:
    """Test."""
    arguments = parse_arguments()
    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    config = load_config(arguments.config, arguments.cfg_options, arguments.work_dir, arguments.launcher)
    if is_first_process(config.launcher):
        check_outputs(arguments.out, arguments.predictions)
    if arguments.predictions:
        config.test_evaluator.output_dir = arguments.predictions
    found = test(build_runner(config), arguments.checkpoint)
    if arguments.out and is_main_process():  # it alone has the confusion matrix of all
        write_scores(found, arguments.out)


if __name__ == '__main__':
    sys.exit(main())
