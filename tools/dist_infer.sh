#!/usr/bin/env bash
# Map images on several GPUs, or processes of the CPU: tools/dist_infer.sh CONFIG CHECKPOINT GPUS INPUT... --out DIR
# Further arguments are those of infer.py; the environment is that of dist_train.sh. All machines see INPUT and DIR.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # OpenMMLab's pages say `sh tools/dist_test.sh`
set -euo pipefail

if (($# < 4)); then
  echo "usage: $0 CONFIG CHECKPOINT GPUS INPUT... [arguments of infer.py]; its first lines tell more" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
config=$1 checkpoint=$2 gpus=$3
shift 3
exec "$BASH" "$here/launch/dist.sh" "$here/infer.py" "$gpus" "$config" "$checkpoint" "$@"
