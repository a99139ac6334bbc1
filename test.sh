#!/usr/bin/env bash
# Builds everything and runs the tests. Installs what they need where it can (root on Debian); tests whose tools are missing skip, saying so.
set -euo pipefail
cd "$(dirname "$0")"

dotnet test Mirror.slnx
