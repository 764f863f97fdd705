#!/bin/sh
# Prints the path of a Python interpreter with PyTorch, ONNX and ONNX Runtime:
# AFFINE_PYTHON, or one in a virtual environment that is made in the user's cache.
set -eu
if [ -n "${AFFINE_PYTHON:-}" ]; then
	echo "$AFFINE_PYTHON"
	exit 0
fi
packages='numpy==2.4.6 torch==2.15.0 onnx==1.23.2 onnxruntime==1.32.0 safetensors==0.8.0'
venv=${XDG_CACHE_HOME:-$HOME/.cache}/affine/python-$(echo "$packages" | cksum | cut -d ' ' -f 1)
if [ ! -e "$venv/.complete" ]; then
	if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
		apt-get -q update >&2
		apt-get -q install -y --no-install-recommends python3 python3-venv >&2
	fi
	rm -rf "$venv"
	python3 -m venv "$venv" >&2
	"$venv/bin/pip" install -q $packages >&2
	touch "$venv/.complete"
fi
echo "$venv/bin/python"
