using System.Net;

namespace Mirror.Bench.Servers;

/// <summary>Mirror with one registry. Its tags stay fresh: how a fresh tag is answered is what is measured.</summary>
/// <param name="folder">For its files.</param>
/// <param name="upstream">Where it has the content from.</param>
/// <param name="certificate">With which it speaks TLS; null for plain HTTP.</param>
/// <param name="rules">How many rules say who may do what; none of them speaks of what is measured.</param>
internal sealed class MirrorServer(string folder, IPEndPoint upstream, Certificate? certificate = null, int rules = 0) : Server("Mirror", folder)
{
    protected override string Program => FindProgram();

    protected override bool SpeaksTls => certificate is not null;

    protected override string[] Arguments => ["serve", "--config", Path.Combine(Folder, "mirror.yml")];

    public static string FindProgram() => Environment.GetEnvironmentVariable("MIRROR_PROGRAM")
        ?? throw new InvalidOperationException("MIRROR_PROGRAM says where the program is; bench/run.sh sets it.");

    private static string RuleOf(int number) => number % 2 == 0
        ? $"{{ repositories: [\"upstream/team-{number}/**\", \"team-{number}/**\"], users: [user-{number}, ci], allow: [pull, push] }}"
        : $"{{ repositories: [\"*/team-{number}/*\"], networks: [10.{number}.0.0/16], allow: [pull] }}";

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
          rules: [{string.Join(", ", Enumerable.Range(0, rules).Select(RuleOf))}]
        observability:
          log:
            level: error
        """);
}
