using static Mirror.Tests.Configuration.Configured;

namespace Mirror.Tests.Configuration;

public sealed class ShowTests
{
    [Fact]
    public void What_holds_is_shown_with_its_origin_and_without_secrets() => Assert.Equal(
        """
        # mirror.yml
        server:
          listen: ["*:80", 127.0.0.1:81]  # from MIRROR_SERVER__LISTEN
          tls:
            requireClientCertificate: false
        storage:
          path: "/srv/my data"
        registries:
          docker.io:
            url: https://registry-1.docker.io
            default: true
            username: me  # from HUB_USER
            password: "***"  # from HUB_TOKEN
            realms: auth.docker.io
            share: public
            offline: false
            pullThrough: true
            tagFreshness: 90s
            serveStale: 30d
            finishAbandoned: 2GB
            complete: 20GB
            maxConnections: 64
        access:
          anonymous: pull
        sync:
          state: sqlite
          jobs: {}
        observability:
          log:
            level: info
            format: text

        """,
        Load(
            """
            registries:
              docker.io: { default: true, username: "${HUB_USER}", password: "${HUB_TOKEN}", realms: auth.docker.io, tagFreshness: 90s }
            storage: { path: my data }
            """,
            ("HUB_USER", "me"),
            ("HUB_TOKEN", "hunter2"),
            ("MIRROR_SERVER__LISTEN", "*:80,127.0.0.1:81")).ToYaml());

    [Fact]
    public void What_is_shown_can_be_read_back()
    {
        var shown = Load("registries: { ghcr.io: { username: 'null', password: x }, a: { username: 'a$$${B}', password: x } }").ToYaml();

        var registries = Load(shown).Configuration.Registries;
        Assert.Equal([("ghcr.io", "null"), ("a", "a$${B}")], registries.Select(r => (r.Name, r.Username)));
        Assert.Contains("registries: {}", Load(string.Empty).ToYaml(), StringComparison.Ordinal);
    }
}
