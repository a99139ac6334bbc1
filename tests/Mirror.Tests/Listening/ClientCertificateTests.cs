using System.Net;
using System.Security.Cryptography.X509Certificates;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Listening;

/// <summary>Certificates of clients count if one of the named authorities vouches for them, and for nothing else.</summary>
public sealed class ClientCertificateTests
{
    private readonly TestAuthority _clients = new();

    [Theory]
    [InlineData(false, 200)]
    [InlineData(true, 400)]
    public async Task A_client_without_a_certificate_is_served_unless_one_is_required(bool isRequired, int status)
    {
        await using var scene = await TlsScene.StartAsync(clientCa: _clients, requireClientCertificate: isRequired);
        using var client = scene.Client();

        using var answer = await client.GetAsync("/v2/");

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("ok\n", await client.GetStringAsync("/healthz"));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Whom_an_authority_vouches_for_is_served(string version)
    {
        await using var scene = await TlsScene.StartAsync(clientCa: _clients, requireClientCertificate: true);
        using var certificate = _clients.Issue("alice", use: TestAuthority.ClientUse);
        using var client = scene.Client(Version.Parse(version), certificate);

        Assert.Equal("{}", await client.GetStringAsync("/v2/"));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_certificate_names_the_user_and_what_does_not_count_names_nobody(string version)
    {
        var alice = new AccessRule([RepositoryPattern.Parse("**")], ["alice"], [], Rights.Pull | Rights.Push);
        await using var scene = await TlsScene.StartAsync(clientCa: _clients, access: new AccessOptions { Rules = [alice] });
        using var certificate = _clients.Issue("alice", use: TestAuthority.ClientUse);
        using var other = _clients.Issue("bob", use: TestAuthority.ClientUse);
        using var nameless = _clients.Issue("alice", use: TestAuthority.ClientUse, subject: "O=alice,OU=alice");
        using var selfSigned = SelfSigned();
        (X509Certificate2? Shown, int Status)[] expected = [(certificate, 202), (other, 403), (nameless, 403), (null, 403), (selfSigned, 400)];

        foreach (var (shown, status) in expected)
        {
            using var client = scene.Client(Version.Parse(version), shown);
            using var answer = await client.PostAsync("/v2/app/blobs/uploads/", content: null);

            Assert.Equal((shown?.Subject, status), (shown?.Subject, (int)answer.StatusCode));
        }
    }

    public static TheoryData<string> Refused => new("of another authority", "expired", "not valid yet", "for servers", "self-signed");

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_certificate_that_does_not_count_is_refused_with_the_reason_and_is_not_taken_for_none(string kind)
    {
        await using var scene = await TlsScene.StartAsync(clientCa: _clients);
        var now = scene.Mirror.Time.GetUtcNow();
        using var certificate = kind switch
        {
            "expired" => _clients.Issue("alice", until: now.AddDays(-1)),
            "not valid yet" => _clients.Issue("alice", from: now.AddDays(1)),
            "for servers" => _clients.Issue("alice", use: TestAuthority.ServerUse),
            "self-signed" => SelfSigned(),
            _ => scene.Authority.Issue("alice"),
        };
        using var client = scene.Client(certificate: certificate);

        using var answer = await client.GetAsync("/v2/team/app/manifests/1");
        var body = await answer.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("\"code\":\"DENIED\"", body, StringComparison.Ordinal);
        Assert.Contains("the client certificate does not count here: ", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_authorities_count_as_soon_as_their_file_says_so()
    {
        await using var scene = await TlsScene.StartAsync(clientCa: _clients);
        using var others = new TestAuthority();
        using var certificate = others.Issue("bob");
        async Task<HttpStatusCode> AskAsync()
        {
            using var client = scene.Client(certificate: certificate);
            using var answer = await client.GetAsync("/v2/");
            return answer.StatusCode;
        }

        Assert.Equal(HttpStatusCode.BadRequest, await AskAsync());
        scene.WriteClientCa(others);
        scene.LetFilesBeSeen();
        Assert.Equal(HttpStatusCode.OK, await AskAsync());
        scene.WriteClientCa(_clients);
        scene.LetFilesBeSeen();
        Assert.Equal(HttpStatusCode.BadRequest, await AskAsync());
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = System.Security.Cryptography.ECDsa.Create();
        return new CertificateRequest("CN=alice", key, System.Security.Cryptography.HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
    }
}
