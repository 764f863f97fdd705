#!/usr/bin/env bash
# Executes the notebooks from top to bottom, in a fresh kernel each.
#
#     notebooks/run.sh                 all of them, written back with their outputs
#     notebooks/run.sh 01 04           those whose names begin so
#     notebooks/run.sh --check         all of them, nothing is written
#
# Exit code 1 when a cell fails: when it does not compile, ends with an error or
# when a claim in it (package lesson) does not hold.
#
# Needs Go and a Debian or Ubuntu with apt, or jupyter-nbconvert installed by
# other means. The kernel is built from the version that go.mod names and kept,
# with its registration, in .tools beside this script; nothing else is changed
# on the machine but for the package jupyter-nbconvert where it is missing.
set -euo pipefail
cd "$(dirname "$0")"

check=false
if [ "${1:-}" = --check ]; then
	check=true
	shift
fi

if ! command -v jupyter-nbconvert >/dev/null; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get -q update
	$sudo apt-get -q install -y --no-install-recommends jupyter-nbconvert
fi

tools=$PWD/.tools
export PATH="$tools/bin:$PATH" JUPYTER_DATA_DIR="$tools/jupyter"
GOBIN="$tools/bin" go install tool
gonb --install --force_deps -raw_error >/dev/null 2>&1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/verify" ./internal/verify

# execute NOTEBOOK
execute() {
	local notebook=$1 start=$SECONDS
	# The kernel logs a lot. Of interest is the cell that failed or, where none
	# is named, everything.
	if ! jupyter-nbconvert --to notebook --execute "$notebook" --output-dir "$work" \
		--ExecutePreprocessor.timeout=300 --ExecutePreprocessor.record_timing=False >"$work/$notebook.log" 2>&1; then
		echo "$notebook:" >&2
		if grep -q '^nbclient' "$work/$notebook.log"; then
			sed -n '/^nbclient/,$p' "$work/$notebook.log" >&2
		else
			cat "$work/$notebook.log" >&2
		fi
		return 1
	fi
	"$work/verify" "$work/$notebook" || return 1
	# The kernel does not say how to highlight its language.
	$check || sed 's/"pygments_lexer": ""/"pygments_lexer": "go"/' "$work/$notebook" >"$notebook"
	echo "$notebook: ok, $((SECONDS - start)) s"
}

# Each cell is a program that is compiled and linked; without tables for a
# debugger that is a fifth faster. Two notebooks are under way at a time.
export GOFLAGS="${GOFLAGS:-} -ldflags=-w"
[ $# -gt 0 ] || set -- 0
for prefix in "$@"; do
	for notebook in "$prefix"*.ipynb; do
		if [ ! -e "$notebook" ]; then
			echo "no notebook begins with $prefix; there are:" *.ipynb >&2
			exit 2
		fi
		if [ "$(jobs -rp | wc -l)" -ge 2 ]; then
			wait -n
		fi
		{ execute "$notebook" || touch "$work/failed"; } &
	done
done
wait
[ ! -e "$work/failed" ]
