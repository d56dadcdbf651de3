#!/usr/bin/env bash
# Map images on a Slurm cluster: tools/slurm_infer.sh PARTITION JOB_NAME CONFIG CHECKPOINT INPUT... --out DIR
# Further arguments are those of infer.py; the environment is that of slurm_train.sh. All machines see INPUT and DIR.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # OpenMMLab's pages say `sh tools/slurm_test.sh`
set -euo pipefail

if (($# < 5)); then
  echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT INPUT... [arguments of infer.py]; its first lines tell more" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
exec "$BASH" "$here/launch/slurm.sh" "$here/infer.py" "$@"
