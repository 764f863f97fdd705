#!/bin/sh
# Compiles the kernels to PTX for compute capability 7.0, which the driver
# compiles for the card that it finds. The PTX is committed; CI checks that it
# is what this script makes of the source.
#
#     kernels/generate.sh [DIRECTORY]    NVCC names the compiler, of CUDA 11.8
set -eu
out=$(cd "${1:-$(dirname "$0")}" && pwd)
cd "$(dirname "$0")"
# nvcc orders registers of large kernels by addresses in its own memory. Where the
# system may place it at the same addresses each time, its PTX is the same.
fixed=
if setarch -R true 2>/dev/null; then fixed='setarch -R'; fi
for source in *.cu; do
	$fixed "${NVCC:-/usr/local/cuda/bin/nvcc}" -allow-unsupported-compiler -std=c++14 -O3 -arch=compute_70 -ptx \
		-o "$out/${source%.cu}.ptx" "$source"
done
