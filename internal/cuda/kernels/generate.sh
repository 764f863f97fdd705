#!/bin/sh
# Compiles the kernels to PTX for compute capability 7.0, which the driver
# compiles for the card that it finds. The PTX is committed; CI checks that it
# is what this script makes of the source.
#
#     kernels/generate.sh [DIRECTORY]    NVCC names the compiler, of CUDA 11.8
set -eu
out=$(cd "${1:-$(dirname "$0")}" && pwd)
nvcc=${NVCC:-/usr/local/cuda/bin/nvcc}
# nvcc orders registers of large kernels by addresses in its own memory, which
# depend on the environment, on the lengths of names and on chance. So it works
# in a folder of its own, with nothing in its environment and, where the system
# can do that and ANY_ADDRESS is not set, at fixed addresses.
work=$(mktemp -d -p /tmp)
trap 'rm -rf "$work"' EXIT
cp "$(dirname "$0")"/*.cu "$(dirname "$0")"/*.cuh "$work"
cd "$work"
fixed=
if [ -z "${ANY_ADDRESS:-}" ] && setarch -R true 2>/dev/null; then fixed='setarch -R'; fi
for source in *.cu; do
	env -i PATH=/usr/bin:/bin $fixed "$nvcc" -allow-unsupported-compiler -std=c++14 -O3 -arch=compute_70 -ptx \
		-o "${source%.cu}.ptx" "$source"
done
cp ./*.ptx "$out"
