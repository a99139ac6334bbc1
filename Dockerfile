# Where mcr.microsoft.com can not be reached, name other images that have the .NET 10 SDK, and what programs made by
# it need of a system: libc, libgcc, libstdc++ and OpenSSL.
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
COPY --from=build /out/program /opt/mirror
# Nobody in particular, by number: base images name their users differently. The volume is made from this folder, and so is this user's.
COPY --from=build --chown=1654:1654 /out/data /var/lib/mirror
ENV PATH=/opt/mirror:$PATH \
    MIRROR_SERVER__LISTEN=0.0.0.0:5000 \
    MIRROR_STORAGE__PATH=/var/lib/mirror
USER 1654:1654
WORKDIR /var/lib/mirror
VOLUME /var/lib/mirror
EXPOSE 5000
ENTRYPOINT ["mirror"]
CMD ["serve"]
