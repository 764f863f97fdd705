#!/bin/sh
# Prints the path of a ptxas from the Python registry, and fetches it first if
# it is not there yet.
#
#     .ci/install-ptxas.sh nvidia-cuda-nvcc-cu12 12.9.86
set -eu
dir=${XDG_CACHE_HOME:-$HOME/.cache}/affine/ptxas-$2
if [ ! -x "$dir/ptxas" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	python3 -m pip -q --disable-pip-version-check download --no-deps --only-binary :all: -d "$work" "$1==$2" >&2
	mkdir -p "$dir"
	python3 - "$work" "$dir" <<'PYTHON'
import glob, os, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
name = next(n for n in wheel.namelist() if n.endswith("/bin/ptxas"))
part = sys.argv[2] + "/ptxas.part"
with open(part, "wb") as f:
    f.write(wheel.read(name))
os.chmod(part, 0o755)
os.rename(part, sys.argv[2] + "/ptxas")
PYTHON
fi
echo "$dir/ptxas"
