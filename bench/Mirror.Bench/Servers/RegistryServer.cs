using System.Net;

namespace Mirror.Bench.Servers;

/// <summary>Docker's registry, plain, or as a proxy of <paramref name="upstream"/>.</summary>
/// <param name="name">In the table.</param>
/// <param name="folder">For its files.</param>
/// <param name="upstream">Null for a registry of its own.</param>
/// <param name="certificate">With which it speaks TLS; null for plain HTTP.</param>
/// <param name="data">Another's data; null for its own.</param>
internal sealed class RegistryServer(string name, string folder, IPEndPoint? upstream, Certificate? certificate = null, string? data = null)
    : Server(name, folder)
{
    public string Data => data ?? Path.Combine(Folder, "data");

    protected override bool SpeaksTls => certificate is not null;

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
            rootdirectory: {Data}
          maintenance:
            uploadpurging:
              enabled: false
        http:
          addr: {Address}
          secret: bench
          {(certificate is null ? "" : $"tls: {{ certificate: {certificate.Path}, key: {certificate.KeyPath} }}")}
        {(upstream is null ? "" : $"proxy:\n  remoteurl: http://{upstream}\n")}
        """);
}
