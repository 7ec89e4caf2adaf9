#!/usr/bin/env bash
# On a GPU machine with JAX and PyTorch, in the folder that prepare.sh made:
#
#   bash run.sh time            seconds of each task, of this project and of the published code
#   bash run.sh train SECONDS   trains both so long; the trained state of this project: trained/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export XLA_PYTHON_CLIENT_PREALLOCATE=false PYTHONUNBUFFERED=1
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || true
# One that fails, such as for lack of memory, must not cost the others their figures.
try() { timeout "$@" || echo "failed with status $?: ${*:2}"; }
if [ "${1:-}" = time ]; then
  repeats=${2:-20}
  for model in affine mixlogcdf affine_wide; do
    coupling=${model%_wide}
    case $model in mixlogcdf) channels=96 ;; affine) channels=64 ;; *) channels=512 ;; esac
    echo "== $model: this project, compiled by XLA"
    try 150 python3 program_seconds.py "$model" train_step log_prob sample --num_repeats="$repeats"
    for option in "" --tensor_float_32; do
      echo "== $model: published code, PyTorch $option"
      try 45 python3 published_code.py time --coupling="$coupling" --hidden_channels="$channels" --num_repeats="$repeats" $option
    done
  done
elif [ "${1:-}" = train ]; then
  seconds=${2:-180}
  echo "== this project, compiled by XLA"
  try $((seconds * 2 + 60)) python3 program_seconds.py training --train_seconds="$seconds" --data=data.npz --output=trained
  echo "== published code, PyTorch"
  try $((seconds * 2)) python3 published_code.py train --seconds="$seconds" --data=data.npz
else
  echo "error: the first argument must be time or train; got '${1:-}'" >&2
  exit 2
fi
