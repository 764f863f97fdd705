#!/usr/bin/env bash
# Tests for linux/arm64, in emulation by qemu: every kernel on NEON and in plain Go
# against its float64 reference, and what is built on them. Every test of the CPU's
# kernels runs; long ones with fewer cases.
#
#     .ci/arm64.sh          what CI runs
#     .ci/arm64.sh --all    the whole suite, with NEON and in plain Go: hours
#
# In the whole suite the tests that start a program of their own pass only if the
# system hands programs for arm64 to the emulator (binfmt_misc).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v qemu-aarch64-static >/dev/null && command -v aarch64-linux-gnu-as >/dev/null || {
	apt-get -qq update
	apt-get -qq install -y --no-install-recommends qemu-user-static binutils-aarch64-linux-gnu >/dev/null
}

# Every vector instruction is what an independent assembler makes of its text.
(cd internal/cpu/asm && go test -count=1 ./neon)

export GOARCH=arm64 CGO_ENABLED=0 AFFINE_TEST_LONG=
GOOS=windows go vet ./internal/cpu/...

emulated() { go test -exec qemu-aarch64-static -timeout 60m -count=1 "$@"; }

if [ "${1:-}" = --all ]; then
	status=0
	for set in neon generic; do
		AFFINE_CPU=$set emulated -timeout 6h ./... || status=1
	done
	exit $status
fi

# Two at a time: the emulator uses one core for each.
{
	emulated ./internal/cpu ./internal/cpu/arch ./internal/cpu/threads ./internal/cpu/elementwise
	emulated ./internal/cpu/gemm -run EverySmallShape
} &
emulated ./internal/cpu/gemm -run 'Epilogues|LargeShapes|EmptyShapes|Threads|OneByOne'
emulated ./internal/cpu/gemm -run 'SumOfProducts|ItsBatch' -rapid.checks=10
wait $!
