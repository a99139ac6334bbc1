using System.Text;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

public sealed class LogTests
{
    private static readonly RepositoryName Repository = RepositoryName.Parse("library/secret");
    private static readonly BasicCredentials Credentials = new("mirror", "Aq7-unmistakable/+word");
    private static readonly TestImage Image = TestImage.Create();

    [Fact]
    public async Task No_credential_is_in_the_log_whether_upstream_takes_it_or_not()
    {
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Repository, Image, "1");
        upstream.RequireBasic(Credentials.Username, Credentials.Password);
        await using var mirror = await MirrorProcess.StartAsync(upstream.Url, Credentials, tagFreshness: "0s", level: "debug");

        await PulledImage.AssertIsAsync(Image, mirror, Repository, "1");
        upstream.RequireBasic(Credentials.Username, "another one");
        await FailsAsync(mirror);
        upstream.RequireTokens(Credentials.Username, Credentials.Password);
        await PulledImage.AssertIsAsync(Image, mirror, Repository, "1");
        upstream.RequireTokens(Credentials.Username, "another one");
        await FailsAsync(mirror);
        await upstream.StopAsync();
        await FailsAsync(mirror);
        mirror.Terminate();
        await mirror.ExitedAsync();

        // Each request is in the log, so what is not there was left out.
        Assert.Contains(mirror.Log, line => line.Contains("/v2/library/secret/manifests/1", StringComparison.Ordinal));
        Assert.Contains(mirror.Log, line => line.Contains("gave no", StringComparison.Ordinal));
        var log = string.Join('\n', mirror.Log);
        Assert.All(Secrets().Concat(SentTo(upstream)), secret => Assert.DoesNotContain(secret, log, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The client's answer does not matter here: the old tag, or an error.</summary>
    private static async Task FailsAsync(MirrorProcess mirror)
    {
        using var http = new HttpClient { BaseAddress = mirror.Url };
        using var tag = await http.GetAsync($"/v2/{Repository}/manifests/1");
        using var other = await http.GetAsync($"/v2/{Repository}/manifests/2");
        Assert.False(other.IsSuccessStatusCode);
    }

    private static IEnumerable<string> Secrets()
    {
        yield return Credentials.Password;
        yield return Uri.EscapeDataString(Credentials.Password);
        yield return Convert.ToBase64String(Encoding.UTF8.GetBytes(Credentials.Password));
        yield return Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Credentials.Username}:{Credentials.Password}"));
    }

    /// <summary>The tokens that upstream was shown, among them.</summary>
    private static List<string> SentTo(FakeRegistry upstream)
    {
        var sent = upstream.Requests.Select(request => request.Header("Authorization")).OfType<string>().Distinct().ToList();
        Assert.Contains(sent, header => header.StartsWith("Basic ", StringComparison.Ordinal));
        Assert.Contains(sent, header => header.StartsWith("Bearer ", StringComparison.Ordinal));
        return [.. sent.Select(header => header.Split(' ', 2)[1])];
    }
}
