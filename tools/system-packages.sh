#!/usr/bin/env bash
# Installs the Debian/Ubuntu packages named as arguments if any is missing; where it may not, says
# exactly what to install. The word "python" stands for Python's own venv support.
set -euo pipefail

wanted=()
for name in "$@"; do
    if [ "$name" = python ]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv python3-pip)
    elif command -v dpkg-query >/dev/null; then
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || wanted+=("$name")
    elif [ "$name" = xvfb ]; then
        command -v xvfb-run >/dev/null || wanted+=("$name")
    fi
done
[ ${#wanted[@]} -eq 0 ] && exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
if command -v apt-get >/dev/null && { [ ${#root[@]} -eq 0 ] || sudo -n true 2>/dev/null; }; then
    echo "Installing: ${wanted[*]}"
    "${root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
else
    echo "These system packages are missing. Please install them, then run make again:" >&2
    echo "  sudo apt-get install ${wanted[*]}" >&2
    exit 1
fi
