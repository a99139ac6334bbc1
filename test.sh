#!/usr/bin/env bash
# Builds everything and runs the tests. Installs what they need where it can (root on Debian); tests whose tools are missing
# skip, saying so. With --long the tests that look for rare moments look longer. LITEDB_FEED names a folder with LiteDB's package:
# the state of replication is then tested in LiteDB too.
set -euo pipefail
cd "$(dirname "$0")"

# A test that takes so long hangs: the run ends and names it.
hangs_after=10m
case "$*" in
  "") ;;
  --long) export MIRROR_LONG=1; hangs_after=60m ;;
  *) echo "usage: ./test.sh [--long]" >&2; exit 2 ;;
esac

# Real clients and a real registry to pull from: the program that is needed, and the Debian package that has it.
tools=(docker-registry:docker-registry skopeo:skopeo podman:podman buildah:buildah runc:runc dockerd:docker.io docker:docker-cli
  ctr:containerd htpasswd:apache2-utils strace:strace nginx:nginx apache2:apache2
  docker-compose:docker-compose debootstrap:debootstrap)

missing_packages() {
  local tool
  for tool in "${tools[@]}"; do
    command -v "${tool%%:*}" > /dev/null || echo "${tool#*:}"
  done
  [[ -e /usr/share/zoneinfo/Europe/Berlin ]] || echo tzdata
}

install_packages() (
  export DEBIAN_FRONTEND=noninteractive
  # The programs are wanted, not the services that come with them.
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" || exit
  fi
  apt-get update --quiet=2 || exit
  for package in "$@"; do
    # Where docker-cli is no package of its own, docker.io has it.
    [[ -z $(apt-cache search --names-only "^$package\$") ]] || apt-get install --quiet=2 --yes --no-install-recommends "$package" || exit
  done
)

mapfile -t missing < <(missing_packages)
if (( ${#missing[@]} > 0 )) && (( EUID == 0 )) && command -v apt-get > /dev/null; then
  echo "Installing ${missing[*]}"
  install_packages "${missing[@]}" > /dev/null || echo "That failed: the tests that need them will skip." >&2
fi

dotnet build Mirror.slnx --nologo --verbosity quiet

results=artifacts/test-results
rm -rf "$results"
status=0
# One project after the other: tests of what happens in time do not like to be crowded.
dotnet test Mirror.slnx --no-build --nologo -m:1 --logger "console;verbosity=minimal" --logger trx --results-directory "$results" \
  --blame-hang-timeout "$hangs_after" --blame-hang-dump-type none || status=$?

# With outputs of its own: what is built with LiteDB refers to it.
if [[ -n ${LITEDB_FEED:-} ]]; then
  dotnet test tests/Mirror.Sync.Tests --nologo -p:LiteDb=true -p:RestoreAdditionalProjectSources="$(realpath "$LITEDB_FEED")" \
    --artifacts-path artifacts/litedb --filter "FullyQualifiedName~LiteDb" \
    --logger "console;verbosity=minimal" --logger "trx;LogFileName=litedb.trx" --results-directory "$results" || status=$?
else
  echo "The state of replication is not tested in LiteDB: LITEDB_FEED names no folder with its package."
fi

# What was skipped and why, and what each project counted: <Counters total="9" executed="8" passed="8" failed="0" …
cat "$results"/*.trx | awk '
  function value(name) { return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : "" }
  /<UnitTestResult / { skipped = value("outcome") == "NotExecuted" ? value("testName") : "" }
  /<Message>/ && skipped { gsub(/ *<\/?Message>/, ""); print "Skipped " skipped ": " $0 }
  /<Counters / { total += value("total"); executed += value("executed"); passed += value("passed") }
  END { printf "%d passed, %d failed, %d skipped\n", passed, executed - passed, total - executed }'
exit "$status"
