using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mirror.Testing;

namespace Mirror.Tests.Listening;

/// <summary>What clients are shown, and that its files may change at any moment.</summary>
public sealed class CertificateTests
{
    [Fact]
    public async Task The_whole_chain_is_shown_so_that_clients_need_to_know_the_root_only()
    {
        await using var scene = await TlsScene.StartAsync();
        using var upper = scene.Authority.IssueAuthority("upper");
        using var lower = upper.IssueAuthority("lower");
        using var certificate = lower.Issue("127.0.0.1");
        scene.Write(certificate, lower.Certificates[0], upper.Certificates[0]);
        scene.LetFilesBeSeen();

        var shown = await scene.ShownAsync();
        using var client = scene.Client();

        Assert.Equal(
            [certificate.Thumbprint, lower.Certificates[0].Thumbprint, upper.Certificates[0].Thumbprint],
            shown.Select(each => each.Thumbprint).Distinct());
        Assert.Equal("{}", await client.GetStringAsync("/v2/"));
    }

    /// <summary>By hand: this machine's own TLS would not even ask for the old versions.</summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public async Task TLS_1_2_is_spoken_and_nothing_older(byte minor, bool isSpoken)
    {
        await using var scene = await TlsScene.StartAsync();
        byte[] hello =
        [
            3, minor, .. new byte[32], 0,
            0, 4, 0xc0, 0x2b, 0xc0, 0x09, // ECDHE with ECDSA: AES-GCM, and what older versions have
            1, 0,
            0, 16, 0, 10, 0, 4, 0, 2, 0, 0x17, 0, 13, 0, 4, 0, 2, 4, 3, // P-256, with SHA-256
        ];
        using var client = new TcpClient();
        await client.ConnectAsync(scene.Mirror.Url.Host, scene.Mirror.Url.Port);
        await client.GetStream().WriteAsync((byte[])[0x16, 3, 1, 0, (byte)(hello.Length + 4), 1, 0, 0, (byte)hello.Length, .. hello]);

        var answer = new byte[7];
        await client.GetStream().ReadExactlyAsync(answer);

        const int Handshake = 0x16, Alert = 0x15, ProtocolVersion = 70;
        Assert.Equal(isSpoken ? (Handshake, (byte)3) : (Alert, ProtocolVersion), isSpoken ? (answer[0], answer[2]) : (answer[0], answer[6]));
    }

    [Fact]
    public async Task TLS_1_3_is_what_is_spoken_with_who_can()
    {
        await using var scene = await TlsScene.StartAsync();

        await using var connection = await scene.ConnectAsync();

        Assert.Equal(SslProtocols.Tls13, connection.SslProtocol);
    }

    [Fact]
    public async Task Certificates_are_replaced_under_load_and_no_request_fails()
    {
        await using var scene = await TlsScene.StartAsync();
        var layer = TestBlob.Create(500_000, seed: 4);
        using var pusher = scene.Client();
        (await pusher.PostAsync($"/v2/team/app/blobs/uploads/?digest={layer.Digest}", new ReadOnlyMemoryContent(layer.Content))).EnsureSuccessStatusCode();
        using var done = new CancellationTokenSource();
        var pulled = 0;
        async Task PullAsync(int number)
        {
            using var kept = scene.Client(number % 2 == 0 ? HttpVersion.Version11 : HttpVersion.Version20);
            while (!done.IsCancellationRequested)
            {
                using var fresh = scene.Client(kept.DefaultRequestVersion);
                Assert.Equal(layer.Content.ToArray(), await kept.GetByteArrayAsync($"/v2/team/app/blobs/{layer.Digest}"));
                Assert.Equal("{}", await fresh.GetStringAsync("/v2/"));
                Interlocked.Increment(ref pulled);
            }
        }

        var pulls = Enumerable.Range(0, 8).Select(number => Task.Run(() => PullAsync(number))).ToList();
        for (var i = 0; i < 6; i++)
        {
            var before = Volatile.Read(ref pulled);
            using var certificate = scene.Authority.Issue("127.0.0.1");
            scene.WriteCertificate(certificate);
            scene.LetFilesBeSeen();
            await Poll.UntilAsync(() => Volatile.Read(ref pulled) > before + 8 || pulls.Exists(pull => pull.IsCompleted), "nobody pulls");
            scene.WriteKey(certificate);
            scene.LetFilesBeSeen();

            await Poll.UntilAsync(
                async () => (await scene.ShownAsync())[0].Thumbprint == certificate.Thumbprint, TimeSpan.FromSeconds(30), () => "the new one is not shown");
        }

        await done.CancelAsync();
        await Task.WhenAll(pulls);
    }

    [Fact]
    public async Task A_pair_of_which_one_file_is_written_keeps_the_old_one_and_says_so_once()
    {
        await using var scene = await TlsScene.StartAsync();
        var old = (await scene.ShownAsync())[0].Thumbprint;
        using var certificate = scene.Authority.Issue("127.0.0.1");

        scene.WriteCertificate(certificate);
        for (var i = 0; i < 3; i++)
        {
            scene.LetFilesBeSeen();
            Assert.Equal(old, (await scene.ShownAsync())[0].Thumbprint);
        }

        Assert.Single(scene.Mirror.Log.Lines, line => line.StartsWith("Warning What ", StringComparison.Ordinal));
        scene.WriteKey(certificate);
        scene.LetFilesBeSeen();
        Assert.Equal(certificate.Thumbprint, (await scene.ShownAsync())[0].Thumbprint);
        Assert.Single(scene.Mirror.Log.Lines, line => line.StartsWith("Warning What ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN CERTIFICATE-----\nMIIB")]
    [InlineData(null)]
    public async Task Files_that_are_gone_or_hold_nothing_keep_what_they_held(string? content)
    {
        await using var scene = await TlsScene.StartAsync();
        var old = (await scene.ShownAsync())[0].Thumbprint;

        if (content is null)
        {
            File.Delete(scene.Options.Certificate);
        }
        else
        {
            File.WriteAllText(scene.Options.Certificate, content);
        }

        scene.LetFilesBeSeen();

        Assert.Equal(old, (await scene.ShownAsync())[0].Thumbprint);
        Assert.Contains(scene.Mirror.Log.Lines, line => line.StartsWith("Warning What ", StringComparison.Ordinal));
    }

    /// <summary>As certbot and Kubernetes do.</summary>
    [Fact]
    public async Task Links_that_are_swapped_are_seen()
    {
        await using var scene = await TlsScene.StartAsync();
        using var certificate = scene.Authority.Issue("127.0.0.1");
        foreach (var (path, content) in new[]
        {
            (scene.Options.Certificate, certificate.ExportCertificatePem()), (scene.Options.Key, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()),
        })
        {
            File.WriteAllText($"{path}.2", content);
            File.SetLastWriteTimeUtc($"{path}.2", File.GetLastWriteTimeUtc(path));
            File.CreateSymbolicLink($"{path}.new", $"{Path.GetFileName(path)}.2");
            File.Move($"{path}.new", path, overwrite: true);
        }

        scene.LetFilesBeSeen();

        Assert.Equal(certificate.Thumbprint, (await scene.ShownAsync())[0].Thumbprint);
    }

    [Fact]
    public async Task A_certificate_that_ends_within_two_weeks_is_in_the_log_once_a_day_and_on_readyz_until_it_is_renewed()
    {
        var now = new ManualTime().GetUtcNow();
        await using var scene = await TlsScene.StartAsync(certificate: authority => authority.Issue("127.0.0.1", until: now.AddDays(15.5)));
        int Warnings() => scene.Mirror.Log.Lines.Count(line => line.StartsWith("Warning The certificate is to be renewed", StringComparison.Ordinal));
        using var client = scene.Client();
        var day = TimeSpan.FromDays(1);

        Assert.Equal(0, Warnings());
        Assert.Equal("store: ok\n", await client.GetStringAsync("/readyz"));
        for (var i = 0; i < 4; i++)
        {
            await scene.Mirror.Time.TimerArmed(day);
            scene.Mirror.Time.Advance(day);
            // Days that pass before anybody has looked are one to who looks.
            await Poll.UntilAsync(() => Warnings() == i, "it is not said each day");
        }

        Assert.Contains("in 11 days", await client.GetStringAsync("/readyz"), StringComparison.Ordinal);
        using var renewed = scene.Authority.Issue("127.0.0.1");
        scene.Write(renewed);
        scene.LetFilesBeSeen();
        Assert.Equal("store: ok\n", await client.GetStringAsync("/readyz"));
    }
}
