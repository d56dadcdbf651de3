"""Check with labels, checkpoint by checkpoint, whether the pairs that a determination picks show the same land cover.

Every checkpoint sees the batches and views that training makes. Every determination picks from the same projections,
and so do `random` and two oracles for comparison. Precision, recall and lift over chance go to audit.json, audit.csv
and audit.html.

Example:
    python tools/analysis_tools/audit_false_negatives.py configs/false_simclr_r18_mbrsc.py untrained \\
        work_dirs/false_simclr_r18_mbrsc/epoch_10.pth work_dirs/false_simclr_r18_mbrsc/epoch_20.pth --data data/mbrsc
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this clone, from any folder, installed or not

from projects.false.common.command_line import (
    ConfigOptions,
    check_checkpoint,
    check_config,
    check_data_root,
    report_input_errors,
)
from projects.false.common.errors import InputError
from projects.false.pair_audit.settings import Settings


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='pretraining recipe of the run')
    parser.add_argument(
        'checkpoints', nargs='+', metavar='CKPT', help='checkpoints, or `untrained` for initial weights'
    )
    parser.add_argument('--data', required=True, metavar='DATA', help='labelled data as a converter leaves it')
    parser.add_argument('--split', default='pretrain', help='list of patches, DATA/splits/SPLIT.txt (pretrain)')
    parser.add_argument('--batches', type=int, default=20, help='batches to judge, the same at every checkpoint (20)')
    parser.add_argument(
        '--labels', choices=['view', 'patch'], default='view', help='label of a view: its window or its patch (view)'
    )
    parser.add_argument('--overlap', type=float, default=0.8, help='label overlap above which a pair is right (0.8)')
    parser.add_argument('--gate', type=float, help='T of the gate (that of the config; -1 where it has none)')
    parser.add_argument('--determinations', nargs='+', metavar='NAME', help='rules to audit (all)')
    parser.add_argument('--examples', type=int, default=4, help='right and wrong pairs shown of each (4)')
    parser.add_argument('--seed', type=int, help='seed of order, views and draws (that of the config)')
    parser.add_argument('--out', type=Path, help='folder of the results (work_dirs/<config>_false_negatives)')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='override config values, KEY=VALUE')
    return parser.parse_args(arguments)


@report_input_errors
def main(arguments: list[str] | None = None) -> None:
    """Audit, write and print."""
    options = parse_arguments(arguments)
    for name in ('seed', 'examples'):
        if (getattr(options, name) or 0) < 0:
            raise InputError(f'--{name} is {getattr(options, name)}; give 0 or more')
    check_config(options.config)
    check_data_root(options.data)
    for checkpoint in options.checkpoints:
        if checkpoint != 'untrained':
            check_checkpoint(checkpoint)
    settings = Settings(
        data_root=options.data,
        split=options.split,
        batches=options.batches,
        scope=options.labels,
        level=options.overlap,
        threshold=options.gate,
        seed=options.seed,
        names=options.determinations,
        examples=options.examples,
    )
    settings.check()

    from projects.false.common.files import writable, write_text
    from projects.false.engine.config import load_config
    from projects.false.pair_audit.audit import audit_pairs
    from projects.false.pair_audit.report import as_csv, as_json, make_page, make_records, print_summary

    config = load_config(options.config, options.cfg_options, needs=('model', 'train_dataloader'))
    out = options.out or Path('work_dirs', f'{Path(options.config).stem}_false_negatives')
    with writable(f'--out {out}', 'choose another folder'):
        out.mkdir(parents=True, exist_ok=True)
    audit = audit_pairs(config, options.checkpoints, settings)
    rows = make_records(audit)
    texts = {'audit.json': as_json(audit, rows), 'audit.csv': as_csv(rows), 'audit.html': make_page(audit, rows)}
    with writable(out, 'choose another --out'):
        for name, text in texts.items():
            write_text(out / name, text)
    print_summary(audit, rows)
    print(f'wrote {", ".join(texts)} to {out}')


if __name__ == '__main__':
    sys.exit(main())
