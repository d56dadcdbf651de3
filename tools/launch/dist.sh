#!/usr/bin/env bash
# Start a tool on several processes with torchrun: launch/dist.sh TOOL PROCESSES [arguments of the tool]
# What the environment sets is told by dist_train.sh.
set -euo pipefail

# shellcheck source=checks.sh
source "$(dirname "$0")/checks.sh"

tool=$1 processes=$2
shift 2
python=${PYTHON:-python} nodes=${NNODES:-1} rank=${NODE_RANK:-0} restarts=${MAX_RESTARTS:-0}
whole GPUS "$processes" 1
whole NNODES "$nodes" 1
whole NODE_RANK "$rank" 0
whole MAX_RESTARTS "$restarts" 0
whole PORT "${PORT:-29500}" 1 65535
processes=$((10#$processes)) nodes=$((10#$nodes)) rank=$((10#$rank)) restarts=$((10#$restarts)) # 08 is no octal number
((rank < nodes)) || fail "NODE_RANK is $rank with NNODES=$nodes; machines are counted from 0"
command -v "$python" >/dev/null || fail "$python: no such command; activate the environment, or set PYTHON"

meeting=(--nnodes="$nodes" --nproc-per-node="$processes" --max-restarts="$restarts")
if ((nodes == 1)); then
  # Port 0 is any free one, so that two runs on a machine stay out of each other's way. Without --local-addr the
  # processes would look for one another by the machine's name, which does not resolve in every container.
  if [[ -n ${PORT:-} ]] && (: <>"/dev/tcp/localhost/$PORT") 2>/dev/null; then
    fail "PORT $PORT is in use on this machine; choose another, or leave it out for any free one"
  fi
  meeting+=(--rdzv-backend=c10d --rdzv-endpoint="localhost:${PORT:-0}" --local-addr=127.0.0.1)
else
  [[ -n ${MASTER_ADDR:-} ]] || fail "NNODES is $nodes; set MASTER_ADDR to the address of the machine with NODE_RANK=0"
  if ((restarts == 0)); then
    meeting+=(--node-rank="$rank" --master-addr="$MASTER_ADDR" --master-port="${PORT:-29500}")
  else
    # Only this meeting lets every machine restart when a process of one fails; it numbers the machines itself.
    host=$((rank == 0))
    meeting+=(--rdzv-backend=c10d --rdzv-endpoint="$MASTER_ADDR:${PORT:-29500}" --rdzv-id="port-${PORT:-29500}"
      --rdzv-conf="is_host=$host")
    # The processes then meet at a free port of the machine that is numbered 0, under the name it gives of itself.
    [[ -z ${LOCAL_ADDR:-} ]] || meeting+=(--local-addr="$LOCAL_ADDR")
  fi
fi

# In torchrun's own store processes that start again find the addresses of those that died. With this the first
# process opens a store, at a free port, for every attempt.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1

if [[ -z ${OMP_NUM_THREADS:-} ]]; then
  # torchrun would give each process one thread and warn.
  cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
  export OMP_NUM_THREADS=$((cores > processes ? cores / processes : 1))
fi

exec "$python" -m torch.distributed.run "${meeting[@]}" "$tool" "$@" --launcher pytorch
