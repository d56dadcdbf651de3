#!/usr/bin/env bash
# Start a tool as a Slurm job step: launch/slurm.sh TOOL PARTITION JOB_NAME [arguments of the tool]
# What the environment sets is told by slurm_train.sh.
set -euo pipefail

# shellcheck source=checks.sh
source "$(dirname "$0")/checks.sh"

tool=$1 partition=$2 job=$3
shift 3
python=${PYTHON:-python} processes=${GPUS:-8} cpus=${CPUS_PER_TASK:-5}
whole GPUS "$processes" 1
whole CPUS_PER_TASK "$cpus" 1
whole PORT "${PORT:-20000}" 1 65535
whole MASTER_PORT "${MASTER_PORT:-20000}" 1 65535
processes=$((10#$processes)) cpus=$((10#$cpus)) # 08 is no octal number
on_a_node=${GPUS_PER_NODE:-$((processes < 8 ? processes : 8))}
whole GPUS_PER_NODE "$on_a_node" 1
on_a_node=$((10#$on_a_node))
command -v srun >/dev/null || fail 'srun: no such command; this machine has no Slurm, dist_*.sh needs none'

# Runs in every task: the first machine of the step is where the tasks meet, at a port that other jobs do not use.
# shellcheck disable=SC2016
join='export MASTER_ADDR=${MASTER_ADDR:-$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)}
export MASTER_PORT=${MASTER_PORT:-${PORT:-$((20000 + SLURM_JOB_ID % 20000))}}
exec "$@"'
read -ra more <<<"${SRUN_ARGS:-}"
exec srun --partition="$partition" --job-name="$job" --gres=gpu:"$on_a_node" --ntasks="$processes" \
  --ntasks-per-node="$on_a_node" --cpus-per-task="$cpus" --kill-on-bad-exit=1 ${more[@]+"${more[@]}"} \
  bash -c "$join" bash "$python" -u "$tool" "$@" --launcher slurm
