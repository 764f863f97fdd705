#!/bin/sh
# Tests and times everything on a real card. The machine with the card needs no
# Go, only the driver; compute-sanitizer and PyTorch are used where it has them.
#
#     internal/cuda/bench/gpu.sh build DIR     where Go and CUDA's headers are: makes programs.tar.gz
#     internal/cuda/bench/gpu.sh run DIR OUT   where the card is, in a copy of the repository
#
#     internal/cuda/bench/gpu.sh dry DIR OUT   runs what it can of that on the stand-in driver
#
# OUT receives tests.log, a log of each of the sanitizer's tools and bench.md. The
# exit code is 0 if all tests passed and the sanitizer found nothing.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
packages="internal/cuda layer/device layer train"
# Which tests run, which of them under the sanitizer, and how the bench is called.
only=. training=CUDA bench=
checked='TestLinear|TestSoftmax|TestMean|TestOptimizers|TestVector|TestRow|TestProducts|Step|TestUpdates'

build() {
	work=$(mktemp -d)
	cd "$root"
	for package in $packages; do
		go test -c -tags gpu -ldflags '-s -w' -o "$work/$(echo "$package" | tr / -).test" "./$package"
	done
	go build -tags gpu -ldflags '-s -w' -o "$work/bench" ./internal/cuda/bench
	# The programs need the C library that they were linked with, or a newer one.
	objdump -T "$work"/* 2>/dev/null | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 | cut -d_ -f2 >"$work/glibc"
	echo "the programs need glibc $(cat "$work/glibc") or newer"
	tar -czf "$1/programs.tar.gz" -C "$work" .
	rm -rf "$work"
}

# tests LOG PROGRAM… runs the tests of every package, each in its directory.
tests() {
	log=$1
	shift
	: >"$log"
	for package in $packages; do
		pattern=$only
		[ "$package" = train ] && pattern=$training
		(cd "$root/$package" && "$@" "$dir/$(echo "$package" | tr / -).test" -test.v -test.run "$pattern") >>"$log" 2>&1 ||
			{ echo "failed: $package, see $log"; failed=1; }
	done
	echo "$log: $(grep -c '^--- PASS' "$log") passed, $(grep -c '^--- FAIL' "$log") failed, $(grep -c '^--- SKIP' "$log") skipped"
}

run() {
	out=$2 failed=0
	dir=$(mktemp -d)
	tar -xzf "$1/programs.tar.gz" -C "$dir"
	has=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
	if [ "$(printf '%s\n' "$has" "$(cat "$dir/glibc")" | sort -V | tail -n 1)" != "$has" ]; then
		echo "this machine has glibc $has, the programs need $(cat "$dir/glibc"): build them on an older system" >&2
		exit 1
	fi
	# cublasLt may lie in the toolkit, or among PyTorch's packages.
	wheels=$(python3 -c 'import glob, site
print(":".join(d for s in site.getsitepackages() for d in glob.glob(s + "/nvidia/*/lib")))' 2>/dev/null || true)
	export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64:$wheels"
	! command -v nvidia-smi >/dev/null || nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
	tests "$out/tests.log"
	AFFINE_CUBLASLT=0 tests "$out/tests-without-cublaslt.log"
	if command -v compute-sanitizer >/dev/null; then
		# Allocations of the driver's own show where each of them ends.
		# The device suite calls kernel by kernel; the tests of steps replay graphs.
		for tool in memcheck racecheck initcheck synccheck; do
			: >"$out/$tool.log"
			for program in layer-device internal-cuda; do
				AFFINE_CUDA_POOL=0 compute-sanitizer --tool $tool --error-exitcode 9 --target-processes all \
					"$dir/$program.test" -test.run "$checked" \
					>>"$out/$tool.log" 2>&1 || { echo "failed: $tool, see $out/$tool.log"; failed=1; }
				tail -n 1 "$out/$tool.log"
			done
		done
	else
		echo 'there is no compute-sanitizer'
	fi
	"$dir/bench" $bench >"$out/bench.md" || failed=1
	cat "$out/bench.md"
	exit $failed
}

# dry checks this script: a few tests, with a sanitizer that lets everything pass, and
# one case of the bench.
dry() {
	make -s -C "$root/internal/cudasim"
	export LD_LIBRARY_PATH="$root/internal/cudasim/build"
	only='SmallStep|CUDA|MeanLosses' training=CUDACopies checked='MeanLosses|AFailedStep' bench='-alone -seconds 0.1 -run 2-16-16-2'
	tool=$(mktemp -d)
	printf '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do case $1 in --tool | --error-exitcode | --target-processes) shift ;; esac; shift; done\nexec "$@"\n' >"$tool/compute-sanitizer"
	chmod +x "$tool/compute-sanitizer"
	PATH=$tool:$PATH
	run "$@"
}

case ${1-} in
build) build "$(mkdir -p "$2" && cd "$2" && pwd)" ;;
run) run "$(cd "$2" && pwd)" "$(mkdir -p "$3" && cd "$3" && pwd)" ;;
dry) dry "$(cd "$2" && pwd)" "$(mkdir -p "$3" && cd "$3" && pwd)" ;;
*)
	echo "usage: $0 build DIR | run DIR OUT | dry DIR OUT" >&2
	exit 2
	;;
esac
