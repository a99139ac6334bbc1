using System.CommandLine;
using Mirror.Commands;
using Mirror.Testing;
using Mirror.Tests.Listening;

namespace Mirror.Tests.Commands;

public sealed class HealthCommandTests : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_server_that_answers_is_healthy_and_says_how_it_is()
    {
        await using var mirror = await MirrorHost.StartAsync([]);

        Assert.Equal((0, "store: ok\n", ""), await RunAsync($"listen: 127.0.0.1:{mirror.Url.Port}"));
        Assert.Equal((0, "store: ok\n", ""), await RunAsync($"listen: 0.0.0.0:{mirror.Url.Port}"));
        Assert.Equal((0, "store: ok\n", ""), await RunAsync($"listen: localhost:{mirror.Url.Port}"));
    }

    [Fact]
    public async Task A_server_that_speaks_TLS_is_asked_so_whatever_its_certificates_name_and_without_one_of_a_client()
    {
        using var clients = new TestAuthority();
        await using var scene = await TlsScene.StartAsync(
            clientCa: clients, requireClientCertificate: true, certificate: authority => authority.Issue("mirror.example.com"));

        var tls = $"certificate: {scene.Options.Certificate}, key: {scene.Options.Key}";
        Assert.Equal((0, "store: ok\n", ""), await RunAsync($"listen: 127.0.0.1:{scene.Mirror.Url.Port}, tls: {{ {tls} }}"));
    }

    [Fact]
    public async Task Where_an_address_does_not_answer_the_server_is_not_healthy()
    {
        await using var mirror = await MirrorHost.StartAsync([]);
        var nobody = FreePort.Find();

        var (code, _, error) = await RunAsync($"listen: [127.0.0.1:{mirror.Url.Port}, 127.0.0.1:{nobody}]");

        Assert.Equal(1, code);
        Assert.StartsWith($"mirror: http://127.0.0.1:{nobody}/readyz: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_only_the_server_knows_is_said()
    {
        var (code, output, error) = await RunAsync("listen: 127.0.0.1:0");

        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith("mirror: 127.0.0.1:0: only the server knows its port", error, StringComparison.Ordinal);
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(string server)
    {
        var file = _folder.Combine("mirror.yml");
        await File.WriteAllTextAsync(file, $"server: {{ {server} }}\n");
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        var code = await CommandLine.RunAsync(
            [HealthCommand.Create()], ["health", "-c", file], new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
