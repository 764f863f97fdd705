#!/bin/sh
# Assembles the committed PTX to machine code for the compute capabilities below,
# gzipped, in kernels/cubins. ptxas is NVIDIA's, from the Python registry, at the
# version that stands here; CI checks that the files are what this script makes.
#
#     kernels/cubins.sh [DIRECTORY]    PTXAS names the assembler, of that version
#
# It prints what the assembler says of registers and spills, for sass.py.
set -eu
version=12.9.86
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "${1:-$here/cubins}" && pwd)
ptxas=${PTXAS:-$("$here/../../../.ci/cuda-part.sh" nvidia-cuda-nvcc-cu12 $version)}
"$ptxas" --version | grep -q "V$version" || { echo "cubins: $ptxas is not of version $version" >&2; exit 1; }
export ptxas out
for arch in sm_80 sm_90 sm_100; do
	for ptx in "$here"/*.ptx; do echo $arch "$ptx"; done
done | xargs -P "$(nproc)" -L 1 sh -c '
	cubin=$out/$(basename "$2" .ptx).$1
	said=$("$ptxas" -v -O3 -arch="$1" -o "$cubin" "$2" 2>&1) || { echo "$said" >&2; exit 255; }
	echo "$said"
	gzip -9 -n -f "$cubin"' cubins
