#!/bin/sh
# Builds the stand-in driver and runs what computes on a device, with
# the tag gpu, in its modes. See internal/cudasim/README.md.
#
#     .ci/gpu-sim.sh        what CI runs: each mode runs what that mode may show
#     .ci/gpu-sim.sh all    every mode runs every test: a quarter of an hour
#
# .ci/gpu-mutants.sh checks that these tests notice a change in any kernel.
set -eu
cd "$(dirname "$0")/.."
all=${1-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kernels=$PWD/internal/cuda/kernels
export CUDASIM_REPORT="$work/report"
took() {
	now=$(date +%s)
	echo "== $1: $((now - ${last:-$now})) s"
	last=$now
}
took 'begin'

# The committed PTX is what the source gives, and the machine code what the PTX
# gives.
mkdir "$work/fresh"
# differing names a PTX file that is not what the source gives.
differing() {
	for ptx in "$work"/fresh/*.ptx; do
		cmp "$ptx" "$kernels/$(basename "$ptx")" || return 0
	done
	return 1
}
$kernels/generate.sh "$work/fresh"
# The compiler gives one of a few results, by where its memory lies.
tries=1
while differing; do
	[ $tries -lt 16 ] || { echo 'run: go generate ./internal/cuda' >&2; exit 1; }
	tries=$((tries + 1))
	ANY_ADDRESS=1 $kernels/generate.sh "$work/fresh"
done
$kernels/cubins.sh "$work/fresh" >"$work/ptxas.log"
for cubin in "$work"/fresh/*.gz; do
	cmp "$cubin" "$kernels/cubins/$(basename "$cubin")" || { echo "run: $kernels/cubins.sh" >&2; exit 1; }
done
took 'PTX and machine code'

# What assemblers old and new make of the PTX.
python3 $kernels/sass.py --log "$work/ptxas.log"
python3 $kernels/sass.py --shares /usr/local/cuda/bin/ptxas sm_80 sm_90
python3 $kernels/sass.py "$(.ci/cuda-part.sh nvidia-cuda-nvcc 13.0.88)" sm_120
took 'budgets of the assemblers'

make -s -j2 -C internal/cudasim
make -s -j2 -C internal/cudasim KERNELS=ptx BUILD=build/ptx
took 'the stand-in'

# Programs can be built with the headers of CUDA 12 and 13 as well as with 11.8's.
for headers in "nvidia-cuda-runtime-cu12 12.9.79" "nvidia-cuda-runtime 13.0.88"; do
	CGO_CFLAGS="-I$PWD/internal/cuda/cuda13 -I$(.ci/cuda-part.sh $headers include)" go build -tags gpu -o /dev/null ./internal/cuda/bench
done
took 'newer headers'

go vet -tags gpu ./internal/cuda/... ./internal/cudasim ./layer/device
for package in internal/cuda layer/device layer train; do
	go test -c -tags gpu -o "$work/$(basename $package).test" ./$package
done
took 'the tests'

# Test programs and what of them uses a card. The first may be left out by modes
# that repeat what others check.
long='TestLinear$|TestLinearBackward$|TestOpeningAndClosing'
# tests PACKAGE PATTERN runs the tests of a package that match, except for $skip.
tests() {
	(cd "$1" && "$work/$(basename "$1").test" -test.run "$2" -test.skip "$skip") >"$work/$(basename "$1").log" 2>&1 ||
		{ cat "$work/$(basename "$1").log"; touch "$work/failed"; }
}
# run VARIABLES… runs with these variables everything but what $skip matches.
run() {
	[ -z "$all" ] || skip='^$'
	(
		for variable in "$@"; do export "$variable"; done
		tests layer/device '/^cuda' &
		tests layer 'CUDA|TakeNoMemoryOfTheCard'
		tests internal/cuda .
		tests train CUDA
		wait
	)
	if [ -s "$CUDASIM_REPORT" ]; then
		echo 'rules of CUDA were broken:' >&2
		cat "$CUDASIM_REPORT" >&2
		exit 1
	fi
	[ ! -e "$work/failed" ] || exit 1
	took "$*"
}
export LD_LIBRARY_PATH="$PWD/internal/cudasim/build"
skip=$long run CUDASIM=
skip=$long run CUDASIM=lazy,shuffle AFFINE_CUBLASLT=0
skip=$long run CUDASIM=lazy,protect AFFINE_CUDA_POOL=0
# Other tiles and splits, those of a large card.
skip='Train|Opening|Allocation' run CUDASIM=processors=132,shuffle
skip=$long run CUDASIM=devices=0

# The PTX itself, with memory and races checked at every access.
export LD_LIBRARY_PATH="$PWD/internal/cudasim/build/ptx" CUDASIM_LAUNCHED="$work/launched"
skip='^$' run CUDASIM=shuffle
python3 internal/cudasim/ptx.py --entries $kernels/*.ptx | while read -r entry; do
	grep -qx "$entry" "$CUDASIM_LAUNCHED" || { echo "no test launches $entry" >&2; exit 1; }
done
