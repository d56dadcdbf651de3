#!/usr/bin/env bash
# Test on a Slurm cluster: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]
# The environment is that of slurm_train.sh.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # OpenMMLab's pages say `sh tools/slurm_test.sh`
set -euo pipefail

if (($# < 4)); then
  echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]; its first lines tell more" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
exec "$BASH" "$here/launch/slurm.sh" "$here/test.py" "$@"
