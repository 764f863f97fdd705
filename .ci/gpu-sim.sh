#!/bin/sh
# Builds the stand-in driver and runs everything that computes on a device, with
# the tag gpu, in each of its modes. See internal/cudasim/README.md.
#
#     .ci/gpu-sim.sh
set -eu
cd "$(dirname "$0")/.."

packages="./internal/cuda/... ./layer/..."
make -s -j2 -C internal/cudasim
export LD_LIBRARY_PATH="$PWD/internal/cudasim/build"
export CUDASIM_REPORT="$(mktemp)"
trap 'rm -f "$CUDASIM_REPORT"' EXIT

# The committed PTX is what the source gives.
fresh=$(mktemp -d)
internal/cuda/kernels/generate.sh "$fresh"
for ptx in "$fresh"/*.ptx; do
	cmp "$ptx" "internal/cuda/kernels/$(basename "$ptx")" || { echo 'run: go generate ./internal/cuda' >&2; exit 1; }
done
rm -rf "$fresh"

go vet -tags gpu $packages
# run VARIABLES… runs the tests with these variables.
run() {
	echo "== $*"
	# The variables are read from C, where go test does not see them: no caching.
	env "$@" go test -tags gpu -count=1 $packages
	env "$@" go test -tags gpu -count=1 -run CUDA ./train
	if [ -s "$CUDASIM_REPORT" ]; then
		echo 'rules of CUDA were broken:' >&2
		cat "$CUDASIM_REPORT" >&2
		exit 1
	fi
}
run CUDASIM=
run CUDASIM=lazy,shuffle AFFINE_CUBLASLT=0
run CUDASIM=lazy,protect AFFINE_CUDA_POOL=0
run CUDASIM=processors=132,shuffle
run CUDASIM=devices=0
