#!/bin/sh
# Changes one instruction of each entry point of the PTX in turn, and expects the
# tests to notice. It takes half an hour.
#
#     .ci/gpu-mutants.sh [ENTRY...]
set -eu
cd "$(dirname "$0")/.."
kernels=internal/cuda/kernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make -s -j2 -C internal/cudasim KERNELS=ptx BUILD=build/ptx
for package in internal/cuda layer/device; do
	go test -c -tags gpu -o "$work/$(basename $package).test" ./$package
done
# run DRIVER PACKAGE ARGUMENTS… runs tests.
run() {
	driver=$1 package=$2
	shift 2
	(cd "$package" && LD_LIBRARY_PATH="$driver" timeout 600 "$work/$(basename "$package").test" -test.failfast "$@" >"$work/log" 2>&1)
}
# tests DRIVER reports whether all tests pass that compute something.
tests() {
	run "$1" layer/device -test.run '/^cuda' && run "$1" internal/cuda -test.skip 'Opening|Allocation|EveryCall|Lost'
}
tests "$PWD/internal/cudasim/build/ptx" || { echo 'the tests fail without any change:' >&2; tail "$work/log" >&2; exit 1; }

missed=0
for entry in ${*:-$(python3 internal/cudasim/ptx.py --entries $kernels/*.ptx)}; do
	ptx=$(grep -lE "\.entry $entry\(" $kernels/*.ptx)
	module=$(basename "$ptx" .ptx)
	rm -rf "$work/build"
	mkdir "$work/build"
	cp -p internal/cudasim/build/ptx/* "$work/build"
	rm "$work/build/ptx_$module".* "$work/build/libcuda.so.1"
	make -s -j2 -C internal/cudasim KERNELS=ptx BUILD="$work/build" MUTANT="$entry" MUTANT_IN="$module"
	if tests "$work/build"; then
		echo "$entry: changed, and no test failed" >&2
		missed=1
	else
		echo "$entry: noticed"
	fi
done
exit $missed
