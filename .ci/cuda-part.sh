#!/bin/sh
# Prints the path of a part of CUDA from the Python registry, and fetches it first
# if it is not there yet: an assembler, or a directory of headers.
#
#     .ci/cuda-part.sh nvidia-cuda-nvcc-cu12 12.9.86
#     .ci/cuda-part.sh nvidia-cuda-runtime 13.0.88 include
set -eu
part=${3-ptxas}
dir=${XDG_CACHE_HOME:-$HOME/.cache}/affine/$part-$2
if [ ! -e "$dir/$part" ]; then
	if ! python3 -m pip --version >/dev/null 2>&1; then
		apt-get -q update >&2
		apt-get -q install -y --no-install-recommends python3-pip >&2
	fi
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	python3 -m pip -q --disable-pip-version-check download --no-deps --only-binary :all: -d "$work" "$1==$2" >&2
	mkdir -p "$dir"
	python3 - "$work" "$dir" "$part" <<'PYTHON'
import glob, os, shutil, sys, zipfile
work, to, part = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(work + "/*.whl")[0])
if part == "include":
    headers = [n for n in wheel.namelist() if "/include/" in n and not n.endswith("/")]
    wheel.extractall(work, headers)
    shutil.move(work + "/" + headers[0].split("/include/")[0] + "/include", to + "/include.part")
else:
    name = next(n for n in wheel.namelist() if n.endswith("/bin/" + part))
    with open(to + "/" + part + ".part", "wb") as f:
        f.write(wheel.read(name))
    os.chmod(to + "/" + part + ".part", 0o755)
os.rename(to + "/" + part + ".part", to + "/" + part)
PYTHON
fi
echo "$dir/$part"
