#!/bin/sh
# Assembles the committed PTX to machine code for the compute capabilities below,
# gzipped, in kernels/cubins. ptxas is NVIDIA's, from the Python registry, at the
# version that stands here; CI checks that the files are what this script makes.
#
#     kernels/cubins.sh [DIRECTORY]    PTXAS names the assembler, of that version
set -eu
version=12.9.86
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "${1:-$here/cubins}" && pwd)
ptxas=${PTXAS:-$("$here/../../../.ci/install-ptxas.sh" nvidia-cuda-nvcc-cu12 $version)}
"$ptxas" --version | grep -q "V$version" || { echo "cubins: $ptxas is not of version $version" >&2; exit 1; }
for ptx in "$here"/*.ptx; do
	for arch in sm_80 sm_90 sm_100; do
		name=$(basename "$ptx" .ptx).$arch
		"$ptxas" -O3 -arch=$arch -o "$out/$name" "$ptx"
		gzip -9 -n -f "$out/$name"
	done
done
