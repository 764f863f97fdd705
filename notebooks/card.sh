#!/bin/sh
# Runs internal/card on an NVIDIA card or, if there is none, on the stand-in
# driver of ../internal/cudasim, which needs CUDA's headers and g++
# (../.ci/install-cuda.sh). Without these it says so and ends well.
set -eu
cd "$(dirname "$0")"
if [ ! -e /usr/local/cuda/include/cuda.h ] && [ ! -e /usr/include/cuda.h ]; then
	echo "no CUDA headers here: neither a card nor the stand-in can be used"
	exit 0
fi
if ! ldconfig -p | grep -q 'libcuda\.so\.1'; then
	make -s -C ../internal/cudasim
	export LD_LIBRARY_PATH="$PWD/../internal/cudasim/build"
fi
exec go run -tags gpu ./internal/card
