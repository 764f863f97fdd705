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
# run VARIABLES… [-- FLAGS…] runs the tests with these variables, and flags of go test.
run() {
	echo "== $*"
	variables=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		variables="$variables $1"
		shift
	done
	[ $# -gt 0 ] && shift
	# The variables are read from C, where go test does not see them: no caching.
	env $variables go test -tags gpu -count=1 "$@" $packages
	env $variables go test -tags gpu -count=1 -run CUDA ./train
	if [ -s "$CUDASIM_REPORT" ]; then
		echo 'rules of CUDA were broken:' >&2
		cat "$CUDASIM_REPORT" >&2
		exit 1
	fi
}
run CUDASIM=
run CUDASIM=lazy,shuffle AFFINE_CUBLASLT=0
# With pages for each allocation, tens of thousands of small matrices take minutes.
run CUDASIM=lazy,protect AFFINE_CUDA_POOL=0 -- -skip '^TestLinear(Backward)?$'
run CUDASIM=devices=0
