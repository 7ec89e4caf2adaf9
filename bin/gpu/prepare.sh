#!/usr/bin/env bash
# Fills a folder with all that a GPU machine with JAX and PyTorch needs; run it where TensorFlow is.
#
#   bash bin/gpu/prepare.sh OUTPUT MAR_SCF_GIT_DIR [IMAGES.npz]
#
# OUTPUT: a new folder. MAR_SCF_GIT_DIR: the git directory of the published code (visinf/mar-scf).
# IMAGES.npz: uint8 arrays `train` and `test` [N, 32, 32, 1]; with them there is a training, too.
# PYTHON and MODEL_FLAGS (for all models, such as "--num_steps=1") may be set in the environment.
set -euo pipefail
output=$1 git_dir=$2 images=${3:-}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
mkdir "$output"
mkdir "$output/mar-scf"
cp "$root"/bin/gpu/{run.sh,program_seconds.py,published_code.py} "$root/examples/run_stablehlo.py" "$output/"
git --git-dir="$git_dir" archive HEAD | tar x -C "$output/mar-scf" --exclude=assets

tasks() { # NAME FLAGS...
  PYTHONPATH=$root "$python" "$root/bin/benchmark.py" portable --output_dir="$output/$1" --batch_size=64 "${@:2}" ${MODEL_FLAGS:-}
}
tasks affine --coupling=affine --num_steps=4 --hidden_channels=64 --random_above=20000
tasks affine_wide --coupling=affine --num_steps=4 --hidden_channels=512 --random_above=20000
tasks mixlogcdf --coupling=mixlogcdf --num_steps=4 --hidden_channels=96 --random_above=20000
if [ -n "$images" ]; then
  # As many as a GPU sees in minutes.
  "$python" -c 'import numpy, sys; data = numpy.load(sys.argv[1]); numpy.savez_compressed(sys.argv[2], train=data["train"][:30000], test=data["test"][:2000])' \
    "$images" "$output/data.npz"
  tasks training --coupling=affine --num_steps=4 --hidden_channels=64 --average_decay=0.999 \
    --learning_rate=4e-3 --warm_up_images=1000 --data="$output/data.npz"
fi
du -sh "$output"
