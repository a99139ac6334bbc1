using System.Net;

namespace Mirror.Bench.Servers;

/// <summary>Mirror with one registry. Its tags stay fresh: how a fresh tag is answered is what is measured.</summary>
internal sealed class MirrorServer(string folder, IPEndPoint upstream, Certificate? certificate = null) : Server("Mirror", folder)
{
    protected override string Program => Environment.GetEnvironmentVariable("MIRROR_PROGRAM")
        ?? throw new InvalidOperationException("MIRROR_PROGRAM says where the program is; bench/run.sh sets it.");

    protected override bool SpeaksTls => certificate is not null;

    protected override string[] Arguments => ["serve", "--config", Path.Combine(Folder, "mirror.yml")];

    protected override void WriteConfiguration() => File.WriteAllText(Path.Combine(Folder, "mirror.yml"), $"""
        server:
          listen: {Address}
          {(certificate is null ? "" : $"tls: {{ certificate: {certificate.Path}, key: {certificate.KeyPath} }}")}
        storage:
          path: {Folder}/data
        registries:
          upstream:
            url: http://{upstream}
            default: true
            tagFreshness: 7d
        access:
          anonymous: [pull, push]
        observability:
          log:
            level: error
        """);
}
