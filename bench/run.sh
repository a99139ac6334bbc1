#!/usr/bin/env bash
# Measures Mirror beside docker-registry, nginx and skopeo, and prints ratios. bench/README.md says what the rows mean.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

missing=()
for tool in dotnet docker-registry nginx h2load skopeo; do
  command -v "$tool" > /dev/null || PATH=$PATH:/usr/sbin command -v "$tool" > /dev/null || missing+=("$tool")
done
if (( ${#missing[@]} > 0 )); then
  echo "bench: missing: ${missing[*]} (Debian's packages have these names, but nghttp2-client for h2load; dotnet is the .NET 10 SDK)" >&2
  exit 1
fi

# Mirror as people install it. MIRROR_PROGRAM measures another build in its place.
if [[ -z ${MIRROR_PROGRAM:-} ]]; then
  dotnet publish "$root/src/Mirror" --use-current-runtime --self-contained --configuration Release --nologo --verbosity quiet \
    --output "$root/artifacts/publish/mirror"
  export MIRROR_PROGRAM=$root/artifacts/publish/mirror/mirror
fi
dotnet build "$root/bench/Mirror.Bench" --configuration Release --nologo --verbosity quiet
PATH=$PATH:/usr/sbin exec dotnet "$root/artifacts/bin/Mirror.Bench/release/mirror-bench.dll" "$@"
