#!/bin/sh
# Installs what a build with -tags gpu needs on a bare Debian bookworm machine:
# CUDA 11.8's compiler, headers and the libcuda stub to link against, from
# Debian's component non-free. No GPU and no driver are needed.
#
#     .ci/install-cuda.sh        as root; does nothing where nvcc is there already
#
# Only the needed files of the two packages are unpacked, to /usr/local/cuda-11.8:
# a few hundred megabytes instead of the 5.5 GB that apt would install.
set -eu

prefix=/usr/local/cuda-11.8
if [ -e "$prefix/.complete" ] || { [ -e /usr/local/cuda ] && [ -x /usr/local/cuda/bin/nvcc ]; }; then
	exit 0
fi

if ! command -v g++ >/dev/null || ! command -v make >/dev/null; then
	apt-get -q update
	apt-get -q install -y --no-install-recommends g++ make
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# The mirror is the machine's own; a package list of its own leaves the
# machine's apt sources as they are.
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -m 1 '/debian/*$') ||
	{ echo 'install-cuda: the apt sources name no mirror of Debian' >&2; exit 1; }
mkdir -p "$work/lists/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm non-free" >"$work/sources.list"
apt() {
	apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists" "$@"
}
apt update
(cd "$work" && apt download nvidia-cuda-toolkit nvidia-cuda-dev)
for package in toolkit dev; do
	dpkg-deb --fsys-tarfile "$work"/nvidia-cuda-${package}_*.deb |
		tar -x -C "$work" --wildcards --wildcards-match-slash \
			--exclude='./usr/share/*' --exclude='*.a' \
			./usr/bin ./usr/include ./usr/lib/nvidia-cuda-toolkit ./usr/lib/x86_64-linux-gnu/stubs 2>/dev/null || true
done

# The layout is that of NVIDIA's installer, where gorgonia.org/cu looks.
rm -rf "$prefix"
mkdir -p "$prefix/bin" "$prefix/lib64" "$prefix/nvvm/libdevice"
mv "$work"/usr/include "$prefix/include"
mv "$work"/usr/lib/x86_64-linux-gnu/stubs/libcuda.so "$prefix/lib64/"
rm -f "$work"/usr/bin/nvcc
mv "$work"/usr/lib/nvidia-cuda-toolkit/bin/nvcc "$work"/usr/lib/nvidia-cuda-toolkit/bin/cicc \
	"$work"/usr/lib/nvidia-cuda-toolkit/bin/crt "$prefix/bin/"
for tool in cudafe++ ptxas fatbinary nvlink cuobjdump nvdisasm bin2c; do
	mv "$work/usr/bin/$tool" "$prefix/bin/"
done
mv "$work"/usr/lib/nvidia-cuda-toolkit/libdevice/* "$prefix/nvvm/libdevice/"
cat >"$prefix/bin/nvcc.profile" <<EOF
NVVMIR_LIBRARY_DIR = $prefix/nvvm/libdevice
PATH += $prefix/bin:
INCLUDES += "-I$prefix/include" \$(_SPACE_)
EOF
[ -e /usr/local/cuda ] || ln -s "$prefix" /usr/local/cuda
for file in bin/nvcc bin/cicc bin/ptxas include/cuda.h include/cuda_runtime.h lib64/libcuda.so nvvm/libdevice/libdevice.10.bc; do
	[ -e "$prefix/$file" ] || { echo "install-cuda: $prefix/$file is missing" >&2; exit 1; }
done
touch "$prefix/.complete"
