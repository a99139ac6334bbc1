# Where mcr.microsoft.com can not be reached, name other images: one that has the .NET 10 SDK, and one that has what programs made
# by it need of a system: libc, libgcc, libstdc++, OpenSSL, the authorities' certificates, tzdata for jobs that go by a time zone, and a
# shell for the build. Both are of one kind of Linux: what the first one makes runs on the second.
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0
ARG RUNTIME_IMAGE=mcr.microsoft.com/dotnet/runtime-deps:10.0

FROM ${SDK_IMAGE} AS build
WORKDIR /source
# The projects first: a change in the code alone does not restore again.
COPY global.json Directory.Build.props Directory.Packages.props ./
COPY src/Mirror.Oci/Mirror.Oci.csproj src/Mirror.Oci/
COPY src/Mirror.Sync/Mirror.Sync.csproj src/Mirror.Sync/
COPY src/Mirror/Mirror.csproj src/Mirror/
RUN dotnet restore src/Mirror --use-current-runtime -p:SelfContained=true -p:PublishReadyToRun=true
COPY .editorconfig BannedSymbols.txt ./
COPY src/ src/
RUN dotnet publish src/Mirror --no-restore --use-current-runtime --self-contained --configuration Release --output /out/program \
    && mkdir /out/data

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="Mirror" \
      org.opencontainers.image.description="A pull-through caching mirror for container registries, a registry of your own, and a replicator between registries"
COPY --from=build /out/program /opt/mirror
# Nobody in particular, by number: base images name their users differently. The volume is made from this folder, and so is this user's.
COPY --from=build --chown=1654:1654 /out/data /var/lib/mirror
# The last one has the runtime make no sockets for debuggers in /tmp, which may be read-only.
ENV PATH=/opt/mirror:$PATH \
    MIRROR_SERVER__LISTEN=0.0.0.0:5000 \
    MIRROR_STORAGE__PATH=/var/lib/mirror \
    DOTNET_EnableDiagnostics=0
# Passwords are checked by the system's libcrypt.so.1. Debian's and Ubuntu's images have it; where it is missing it is installed. That a
# password can be hashed also shows that the program runs on this base.
RUN echo password | mirror user add user --file /tmp/users \
    || { apt-get update && apt-get install --yes --no-install-recommends libcrypt1 && rm -rf /var/lib/apt/lists/* \
        && echo password | mirror user add user --file /tmp/users; } \
    && rm /tmp/users
USER 1654:1654
WORKDIR /var/lib/mirror
VOLUME /var/lib/mirror
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["mirror", "health"]
ENTRYPOINT ["mirror"]
CMD ["serve"]
