using System.Net;
using System.Text.RegularExpressions;
using Mirror.Configuration;
using Mirror.Testing;
using IPNetwork = System.Net.IPNetwork;

namespace Mirror.Tests.Listening;

/// <summary>What is said of a client counts only from proxies that are trusted.</summary>
public sealed partial class ForwardingTests
{
    private const string Uploads = "/v2/app/blobs/uploads/";

    /// <summary>Proxies are at 127.0.0.1, and in 10.1.0.0/16.</summary>
    [Theory]
    [InlineData("127.0.0.1", "203.0.113.9", "203.0.113.9")]
    [InlineData("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9")]
    [InlineData("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9")]
    [InlineData("127.0.0.1", "2001:db8::7", "2001:db8::7")]
    [InlineData("127.0.0.1", "[2001:db8::7]:443", "2001:db8::7")]
    [InlineData("127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9")]
    [InlineData("127.0.0.1", "unknown", "127.0.0.1")]
    [InlineData("127.0.0.1", "203.0.113.9, not an address", "127.0.0.1")]
    [InlineData("127.0.0.2", "203.0.113.9", "127.0.0.2")]
    [InlineData("127.0.0.2", "127.0.0.1", "127.0.0.2")]
    public async Task The_client_is_the_last_address_that_is_no_trusted_proxys(string from, string forwarded, string client)
    {
        await using var host = await StartAsync(trusted: ["127.0.0.1/32", "10.1.0.0/16"]);

        await host.AskAsync(from, "/v2/", $"X-Forwarded-For: {forwarded}");

        Assert.Equal(IPAddress.Parse(client), Assert.Single(host.Seen).Client);
    }

    [Fact]
    public async Task Long_and_strange_headers_are_nobodys_trouble()
    {
        await using var host = await StartAsync(trusted: ["127.0.0.1/32"]);
        string[] strange = [",,,", " ", new string('1', 20_000), string.Join(',', Enumerable.Repeat("127.0.0.1", 2000)), "[::", "1.2.3.4:99999999", "\"a\""];

        foreach (var value in strange)
        {
            foreach (var name in (string[])["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix", "Forwarded"])
            {
                var answer = await host.AskAsync("127.0.0.1", Uploads, $"{name}: {value}");
                Assert.True(answer.Status is 202 or 429, $"{answer.Status} for {name}: {value}");
            }
        }
    }

    [Theory]
    [InlineData("127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: mirror.example.com", "https://mirror.example.com/")]
    [InlineData("127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /registry/", "https://host.lan:81/registry/")]
    [InlineData("127.0.0.1", "X-Forwarded-Host: mirror.example.com:8443", "X-Forwarded-Prefix: /a/b", "http://mirror.example.com:8443/a/b/")]
    [InlineData("127.0.0.1", "X-Forwarded-Host: a b/<c>", "X-Forwarded-Prefix: //evil.example", "http://host.lan:81/")]
    [InlineData("127.0.0.1", "X-Forwarded-Host: user@evil.example", "X-Forwarded-Proto: java script", "http://host.lan:81/")]
    [InlineData("127.0.0.2", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "http://host.lan:81/")]
    [InlineData("127.0.0.2", "X-Forwarded-Prefix: /registry", "X-Forwarded-For: 203.0.113.9", "http://host.lan:81/")]
    public async Task The_address_that_the_client_has_come_to_is_what_trusted_proxies_say(string from, string one, string two, string address)
    {
        await using var host = await StartAsync(trusted: ["127.0.0.1/32"]);

        await host.AskAsync(from, "/v2/", one, two);

        Assert.Equal(new Uri(address), Assert.Single(host.Seen).Address);
    }

    [Theory]
    [InlineData("127.0.0.1", "/registry", "/registry")]
    [InlineData("127.0.0.1", "/a/registry/", "/a/registry")]
    [InlineData("127.0.0.1", "/", "")]
    [InlineData("127.0.0.1", "//evil.example", "")]
    [InlineData("127.0.0.1", "registry", "")]
    [InlineData("127.0.0.1", "https://evil.example", "")]
    [InlineData("127.0.0.2", "/registry", "")]
    public async Task Answers_lead_on_behind_the_prefix_that_a_trusted_proxy_takes_away(string from, string prefix, string begin)
    {
        await using var host = await StartAsync(trusted: ["127.0.0.1/32"]);

        var begun = await host.AskAsync(from, Uploads, $"X-Forwarded-Prefix: {prefix}");

        Assert.StartsWith($"{begin}{Uploads}", begun.Head.Headers["Location"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_trusted_proxies_nobody_is_believed()
    {
        await using var host = await StartAsync(trusted: []);

        await host.AskAsync("127.0.0.1", "/v2/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https");

        Assert.Equal((IPAddress.Loopback, new Uri("http://host.lan:81/")), Assert.Single(host.Seen));
    }

    [Theory]
    [InlineData("127.0.0.1/32", "203.0.113.9")]
    [InlineData("10.0.0.0/8", "127.0.0.1")]
    public async Task An_address_that_listens_for_both_kinds_gives_an_IPv4_client_its_own(string trusted, string client)
    {
        await using var host = await StartAsync([trusted], "*:0");

        await host.AskAsync("127.0.0.1", "/v2/", "X-Forwarded-For: 203.0.113.9");

        Assert.Equal(IPAddress.Parse(client), Assert.Single(host.Seen).Client);
    }

    [Fact]
    public async Task Who_says_no_host_has_come_to_the_address_that_is_listened_on()
    {
        await using var host = await StartAsync(trusted: []);

        using var connection = await RawHttp.ConnectAsync(host.Mirror.Url);
        await host.LogInAsync(connection, "GET /v2/ HTTP/1.1\r\nHost:\r\n");

        Assert.Equal(host.Mirror.Url, Assert.Single(host.Seen).Address);
    }

    [Fact]
    public async Task Clients_behind_a_proxy_have_uploads_each_of_its_own()
    {
        await using var host = await StartAsync(trusted: ["127.0.0.0/8"]);
        for (var i = 0; i < global::Mirror.Local.Uploads.MaxPerClient; i++)
        {
            Assert.Equal(202, (await host.AskAsync("127.0.0.1", Uploads, "X-Forwarded-For: 203.0.113.9")).Status);
        }

        Assert.Equal(429, (await host.AskAsync("127.0.0.1", Uploads, "X-Forwarded-For: 203.0.113.9")).Status);
        Assert.Equal(202, (await host.AskAsync("127.0.0.1", Uploads, "X-Forwarded-For: 203.0.113.10")).Status);
    }

    private static async Task<Host> StartAsync(string[] trusted, string listen = "127.0.0.1:0")
    {
        var users = new TestUsers("alice");
        var everybody = new AccessOptions { Anonymous = Rights.Pull | Rights.Push | Rights.Delete, Users = users.Path };
        return new Host(users, await MirrorHost.StartAsync(
            [],
            everybody,
            configure: server => server with
            {
                Listen = [ListenAddress.Parse(listen)],
                TrustedProxies = [.. trusted.Select(network => IPNetwork.Parse(network))],
            }));
    }

    /// <summary>Who logs in with a wrong password is told where tokens are had, and the log says from where it came.</summary>
    private sealed partial class Host(TestUsers users, MirrorHost mirror) : IAsyncDisposable
    {
        private static readonly string WrongPassword = TestUsers.Header("mallory", "wrong");

        private readonly List<Uri> _realms = [];

        public MirrorHost Mirror => mirror;

        /// <summary>Clients, as whoever decides about access sees them.</summary>
        public IReadOnlyList<(IPAddress Client, Uri Address)> Seen =>
        [
            .. mirror.Log.Lines.Select(line => FailedLogin().Match(line)).Where(match => match.Success)
                .Select(match => IPAddress.Parse(match.Groups["address"].Value))
                .Zip(_realms),
        ];

        public async Task<RawResponse> AskAsync(string from, string path, params string[] headers)
        {
            using var connection = await RawHttp.ConnectAsync(new UriBuilder(mirror.Url) { Host = "127.0.0.1" }.Uri, from: IPAddress.Parse(from));
            var lines = string.Concat(headers.Select(header => $"{header}\r\n"));
            return await (path == Uploads
                ? AskAsync(connection, $"POST {path} HTTP/1.1\r\nHost: host.lan:81\r\nContent-Length: 0\r\n{lines}\r\n")
                : LogInAsync(connection, $"GET {path} HTTP/1.1\r\nHost: host.lan:81\r\n{lines}"));
        }

        /// <param name="connection">To the mirror.</param>
        /// <param name="request">Without its last line.</param>
        public async Task<RawResponse> LogInAsync(RawHttp connection, string request)
        {
            var answer = await AskAsync(connection, $"{request}{WrongPassword}\r\n\r\n");
            var realm = Realm().Match(answer.Head.Headers["WWW-Authenticate"]);
            Assert.Equal("token", realm.Groups["path"].Value);
            _realms.Add(new Uri(realm.Groups["base"].Value));
            return answer;
        }

        public async ValueTask DisposeAsync()
        {
            await mirror.DisposeAsync();
            users.Dispose();
        }

        private static async Task<RawResponse> AskAsync(RawHttp connection, string request)
        {
            await connection.SendAsync(request);
            return await connection.ReadResponseAsync();
        }

        [GeneratedRegex("A login as mallory from (?<address>[^ ]+) failed", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
        private static partial Regex FailedLogin();

        [GeneratedRegex("realm=\"(?<base>[^\"]*/)(?<path>[^\"/]*)\"", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
        private static partial Regex Realm();
    }
}
