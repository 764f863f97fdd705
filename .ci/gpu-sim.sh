#!/bin/sh
# Builds the stand-in driver and runs everything that computes on a device, with
# the tag gpu, in each of its modes. See internal/cudasim/README.md.
#
#     .ci/gpu-sim.sh
#
# .ci/gpu-mutants.sh checks that these tests notice a change in any kernel.
set -eu
cd "$(dirname "$0")/.."

packages="./internal/cuda/... ./layer/..."
make -s -j2 -C internal/cudasim
export LD_LIBRARY_PATH="$PWD/internal/cudasim/build"
export CUDASIM_REPORT="$(mktemp)"
trap 'rm -f "$CUDASIM_REPORT"' EXIT

# The committed PTX is what the source gives, and the machine code what the PTX
# gives.
fresh=$(mktemp -d)
kernels=internal/cuda/kernels
$kernels/generate.sh "$fresh"
for ptx in "$fresh"/*.ptx; do
	cmp "$ptx" "$kernels/$(basename "$ptx")" || { echo 'run: go generate ./internal/cuda' >&2; exit 1; }
done
$kernels/cubins.sh "$fresh"
for cubin in "$fresh"/*.gz; do
	cmp "$cubin" "$kernels/cubins/$(basename "$cubin")" || { echo "run: $kernels/cubins.sh" >&2; exit 1; }
done
rm -rf "$fresh"

# What assemblers old and new make of the PTX.
python3 $kernels/sass.py --shares /usr/local/cuda/bin/ptxas sm_80 sm_90
python3 $kernels/sass.py "$(.ci/install-ptxas.sh nvidia-cuda-nvcc 13.0.88)" sm_120

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

# The PTX itself, with memory and races checked at every access.
make -s -j2 -C internal/cudasim KERNELS=ptx BUILD=build/ptx
export LD_LIBRARY_PATH="$PWD/internal/cudasim/build/ptx" CUDASIM_LAUNCHED="$(mktemp)"
packages="./internal/cuda ./layer ./layer/device"
run CUDASIM=shuffle
python3 internal/cudasim/ptx.py --entries $kernels/*.ptx | while read -r entry; do
	grep -qx "$entry" "$CUDASIM_LAUNCHED" || { echo "no test launches $entry" >&2; exit 1; }
done
rm -f "$CUDASIM_LAUNCHED"
