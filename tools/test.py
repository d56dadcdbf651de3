"""Score a fine-tuned model: mIoU, OA, kappa, and IoU, F1, precision and recall of every class.

Command: python tools/test.py CONFIG CHECKPOINT [--out FOLDER | --out FILE.json]
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone, from any folder, installed or not

from projects.false.common.parent_death import end_with_launcher

end_with_launcher()  # before the imports that take seconds

from projects.false.common.command_line import ConfigOptions, check_checkpoint, check_config, report_input_errors
from projects.false.common.errors import InputError
from projects.false.common.published import published_folder


def parse_arguments() -> argparse.Namespace:
    """Read the command line; the options are OpenMMLab's."""
    parser = argparse.ArgumentParser(
        description='Score a fine-tuned model: mIoU, OA, kappa, and IoU, F1, precision and recall of every class.'
    )
    parser.add_argument('config', help='config file, for example configs/upernet_r50_potsdam.py')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint; left out if CONFIG is a folder of tools/publish.py')
    parser.add_argument('--work-dir', help='where to write the log (work_dirs/<config name>)')
    parser.add_argument('--out', help='folder for scores, confusion matrix and example pictures, or a .json file')
    parser.add_argument('--examples', type=int, default=8, help='test patches in the pictures of an --out folder (8)')
    parser.add_argument('--predictions', help='folder for the predicted index masks (PNG)')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


@report_input_errors
def main() -> None:
    """Test."""
    arguments = parse_arguments()
    check_config(arguments.config)
    checkpoint = arguments.checkpoint or arguments.config  # a published model is both
    if arguments.checkpoint is None and published_folder(arguments.config) is None:
        raise InputError(f'{arguments.config}: is no published model; give its checkpoint, too')
    check_checkpoint(checkpoint)

    from mmengine.dist import is_main_process

    from projects.false.engine.config import load_config
    from projects.false.engine.launch import build_runner
    from projects.false.engine.launchers import is_first_process
    from projects.false.evaluation.evaluate import (
        check_outputs,
        evaluate_checkpoint,
        example_sheet,
        is_folder,
        write_folder,
        write_scores,
    )

    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    needs = 'model', 'test_dataloader', 'test_evaluator'
    config = load_config(arguments.config, arguments.cfg_options, arguments.work_dir, arguments.launcher, needs)
    if is_first_process(config.launcher):
        check_outputs(arguments.out, arguments.predictions, arguments.examples)
    if arguments.predictions:
        config.test_evaluator.output_dir = arguments.predictions
    runner = build_runner(config)
    found = evaluate_checkpoint(runner, checkpoint)
    if not arguments.out or not is_main_process():  # the first process alone has the confusion matrix of all
        return
    if not is_folder(arguments.out):
        write_scores(found, arguments.out)
        return
    title = f'{Path(arguments.config).stem}: test patches spread evenly over the list'
    sheet = example_sheet(runner, arguments.examples, title) if arguments.examples else None
    print(f'{arguments.out}: {", ".join(write_folder(found, sheet, arguments.out))}')


if __name__ == '__main__':
    sys.exit(main())
