#!/usr/bin/env bash
# Predicts with llvm-mca how far the inner loops of the NEON micro-kernels keep
# the multiply-add units of some processors busy. Needs Debian's packages
# binutils-aarch64-linux-gnu and llvm-22, or another llvm-mca named by LLVM_MCA.
#
# For each kernel, element type and processor it prints the multiply-adds on
# vectors in one turn of the loop (four terms), the cycles of a turn, and the
# multiply-adds of a cycle beside the units that the model of the processor has
# (three for apple-m1, of which the chip has four). Loads are taken to hit L1, and
# branches to be foreseen.
set -euo pipefail
cd "$(dirname "$0")/../../.."
mca=${LLVM_MCA:-llvm-mca-22}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
GOARCH=arm64 GOOS=linux CGO_ENABLED=0 go test -c -o "$dir/gemm" ./internal/cpu/gemm

# turn KERNEL LOOP: the instructions of one loop, "turn" or "apart_turn". Both begin
# with prefetching and end with the branch back; packed A comes first.
turn() {
	aarch64-linux-gnu-objdump -d --no-show-raw-insn "$dir/gemm" --disassemble="github.com/affine-go/affine/internal/cpu/gemm.$1.abi0" |
		sed -nE 's/^ *[0-9a-f]+:\t//p' | sed -E 's/ *<[^>]*>//; s/ *\/\/.*//' |
		awk -v want="$([ "$2" = turn ] && echo 1 || echo 2)" '
			/^prfm/ && !inside { inside = 1; n++ }
			inside && n == want { print }
			inside && /^b\.ge/ { inside = 0 }' | grep -v '^b'
}

printf '%-14s %-7s %-5s %-12s %5s %7s %6s %5s %5s\n' kernel type A processor fmla cycles /cycle units used
for bits in 32 64; do
	for kernel in 8x3 8x2 8x1 3x8; do
		for loop in turn apart_turn; do
			turn "tile${kernel}NEONF$bits" "$loop" >"$dir/loop.s"
			fmla=$(grep -c fmla "$dir/loop.s")
			for processor in neoverse-n1:2 neoverse-v1:4 neoverse-v2:4 apple-m1:3; do
				cycles=$("$mca" -march=aarch64 -mcpu="${processor%:*}" -iterations=300 "$dir/loop.s" 2>/dev/null |
					awk '/^Total Cycles/ { print $3 / 300 }')
				awk -v k="tile$kernel" -v t="float$bits" -v a="$([ "$loop" = turn ] && echo packed || echo rows)" -v p="${processor%:*}" \
					-v f="$fmla" -v c="$cycles" -v u="${processor#*:}" 'BEGIN {
					printf "%-14s %-7s %-6s %-12s %4d %7.1f %6.2f %5d %4.0f%%\n", k, t, a, p, f, c, f / c, u, 100 * f / c / u }'
			done
		done
	done
done
