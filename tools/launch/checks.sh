# Read by dist.sh and slurm.sh: the checks of what the environment sets.

fail() { echo "error: $1" >&2; exit 2; }
whole() { # NAME VALUE LEAST [MOST]
  if ! [[ $2 =~ ^[0-9]{1,9}$ ]] || ((10#$2 < $3 || 10#$2 > ${4:-999999999})); then
    fail "$1 is '$2'; give a whole number, at least $3${4:+ and at most $4}"
  fi
}
