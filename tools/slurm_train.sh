#!/usr/bin/env bash
# Train on a Slurm cluster: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of train.py]
#
#   GPUS=16 GPUS_PER_NODE=8 tools/slurm_train.sh gpu potsdam configs/false_simclr_r50_potsdam.py --resume
# GPUS is the number of processes (8), CPUS_PER_TASK the cores of each (5), SRUN_ARGS goes to srun as it is, such as
# SRUN_ARGS='--time=8:00:00 --qos=long'. PYTHON names the interpreter.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # OpenMMLab's pages say `sh tools/slurm_train.sh`
set -euo pipefail

if (($# < 3)); then
  echo "usage: $0 PARTITION JOB_NAME CONFIG [arguments of train.py]; its first lines tell more" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
exec "$BASH" "$here/launch/slurm.sh" "$here/train.py" "$@"
