using System.Net;

namespace Mirror.Bench.Servers;

/// <summary>Docker's registry, plain, or as a proxy of <paramref name="upstream"/>.</summary>
internal sealed class RegistryServer(string name, string folder, IPEndPoint? upstream) : Server(name, folder)
{
    protected override string Program => "docker-registry";

    protected override string[] Arguments => ["serve", Path.Combine(Folder, "registry.yml")];

    protected override void WriteConfiguration() => File.WriteAllText(Path.Combine(Folder, "registry.yml"), $"""
        version: 0.1
        log:
          level: error
          accesslog:
            disabled: true
        storage:
          cache:
            blobdescriptor: inmemory
          filesystem:
            rootdirectory: {Folder}/data
          maintenance:
            uploadpurging:
              enabled: false
        http:
          addr: {Address}
          secret: bench
        {(upstream is null ? "" : $"proxy:\n  remoteurl: http://{upstream}\n")}
        """);
}
