#!/usr/bin/env bash
# Test on several GPUs: tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]
# The environment is that of dist_train.sh.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # OpenMMLab's pages say `sh tools/dist_test.sh`
set -euo pipefail

if (($# < 3)); then
  echo "usage: $0 CONFIG CHECKPOINT GPUS [arguments of test.py]; its first lines tell more" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
config=$1 checkpoint=$2 gpus=$3
shift 3
exec "$BASH" "$here/launch/dist.sh" "$here/test.py" "$gpus" "$config" "$checkpoint" "$@"
