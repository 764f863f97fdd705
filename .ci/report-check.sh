#!/usr/bin/env bash
# Looks at every kind of report in a real browser: no message on the console, no
# request that leaves the page, charts with all their points, read-outs that
# answer the pointer and the keys, nothing cut on any width of screen.
#
# On Debian, as root, it installs Chromium where there is none. CHROMIUM names
# another program. AFFINE_SCREENSHOTS=FOLDER keeps pictures of the pages.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v "${CHROMIUM:-chromium}" >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -qy --no-install-recommends chromium fonts-dejavu-core fonts-liberation
fi
go vet -tags browser ./train/report
go test -tags browser -count=1 -run 'InABrowser|WithoutScripts|Readouts' ./train/report
