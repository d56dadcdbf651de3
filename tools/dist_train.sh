#!/usr/bin/env bash
# Train on several GPUs, or on several processes of the CPU: tools/dist_train.sh CONFIG GPUS [arguments of train.py]
#
# On more machines call it on each:
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.1.1.1 PORT=29500 tools/dist_train.sh CONFIG GPUS
#   NNODES=2 NODE_RANK=1 MASTER_ADDR=10.1.1.1 PORT=29500 tools/dist_train.sh CONFIG GPUS
# MAX_RESTARTS=N starts a run that died again, up to N times; on more machines set LOCAL_ADDR to each one's own address
# with it, if their host names are not known to one another. PYTHON names the interpreter, OMP_NUM_THREADS the threads
# of a process (cores / GPUS).
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # OpenMMLab's pages say `sh tools/dist_train.sh`
set -euo pipefail

if (($# < 2)); then
  echo "usage: $0 CONFIG GPUS [arguments of train.py]; its first lines tell more" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
config=$1 gpus=$2
shift 2
exec "$BASH" "$here/launch/dist.sh" "$here/train.py" "$gpus" "$config" "$@"
