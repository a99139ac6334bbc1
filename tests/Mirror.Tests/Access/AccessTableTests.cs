using System.Net;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Registry;
using Mirror.Testing;
using Mirror.Tests.Listening;

namespace Mirror.Tests.Access;

/// <summary>Every endpoint, asked by everybody, over TLS: <see cref="AccessTable"/> says what comes of it.</summary>
public sealed class AccessTableTests : IAsyncLifetime
{
    private const string Service = "mirror.example.com";
    private const string Issuer = "auth.example.com";

    private readonly TemporaryDirectory _folder = new();
    private readonly TestUsers _users = new("alice", "bob", "ci", "root", "eve");
    private readonly RSA _issuer = RSA.Create(2048);
    private readonly TestAuthority _clients = new();
    private readonly TestAuthority _strangers = new();
    private readonly List<IDisposable> _disposables = [];
    private FakeRegistry _upstream = null!;
    private TlsScene _scene = null!;

    public async Task InitializeAsync()
    {
        _upstream = await FakeRegistry.StartAsync();
        _upstream.Add(Scene.Repository, AccessScene.Image, Scene.Tag);
        var secret = RepositoryName.Parse(AccessScene.Secret);
        _upstream.Add(secret, AccessScene.SecretImage, Scene.Tag);
        _upstream.RequireTokens("mirror", "secret", new TokenOptions { Private = [secret] });
        var keys = _folder.Combine("keys.pem");
        await File.WriteAllTextAsync(keys, _issuer.ExportSubjectPublicKeyInfoPem());
        var rules = AccessScene.Rules(_users.Path);
        _scene = await TlsScene.StartAsync(
            clientCa: _clients,
            registries: [MirrorHost.Registry("docker.io", _upstream) with { Default = true, Username = "mirror", Password = new Secret("secret") }],
            access: rules with
            {
                Rules = [.. rules.Rules.SkipLast(1), AccessScene.Rule(["team-a/**"], [], Rights.Pull, "127.0.0.2/32"), rules.Rules[^1]],
                Tokens = new TokenIssuerOptions(Issuer, Service, keys, Realm: null),
            },
            local: ["*", "team-*/**"]);
    }

    public async Task DisposeAsync()
    {
        _disposables.ForEach(disposable => disposable.Dispose());
        await _scene.DisposeAsync();
        await _upstream.DisposeAsync();
        _clients.Dispose();
        _strangers.Dispose();
        _issuer.Dispose();
        _users.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void The_table_has_every_endpoint()
    {
        var all = typeof(Route).GetNestedTypes(BindingFlags.Public | BindingFlags.NonPublic)
            .Where(type => type.IsSubclassOf(typeof(Route)) && !type.IsAbstract && type.Name is not nameof(Route.Wrong) and not nameof(Route.Nothing))
            .SelectMany(type => ((Route)RuntimeHelpers.GetUninitializedObject(type)).Methods.Split(", ").Select(method => (type.Name, method)))
            .ToHashSet();

        Assert.Equal(
            all.Order(), AccessTable.Endpoints.Where(endpoint => endpoint.Route is not null).Select(endpoint => (endpoint.Route!, endpoint.Method)).Distinct().Order());
    }

    [Fact]
    public async Task Everybody_is_answered_as_the_table_says()
    {
        using var root = Client();
        await PushAsync(root);
        var wrong = new List<string>();
        foreach (var who in AccessTable.Whos)
        {
            using var client = await ClientOfAsync(who.Name);
            foreach (var endpoint in AccessTable.Endpoints)
            {
                if (who.Name.StartsWith("a wrong password", StringComparison.Ordinal))
                {
                    // Who guesses waits; this one has time.
                    _scene.Mirror.Time.Advance(TimeSpan.FromMinutes(16));
                }

                var upload = endpoint.Route == nameof(Route.Upload) ? await BeginAsync(client) ?? await BeginAsync(root) : null;
                var (status, body) = await AskAsync(client, endpoint, upload);
                var expected = who.StatusOf(endpoint.Asked, endpoint.Allowed);
                if (status != expected || (status >= 400 && endpoint.Method != "HEAD" && !IsError(body)))
                {
                    wrong.Add($"{who.Name}: {endpoint.Method} {endpoint.Path} is {status} and not {expected}: {body}");
                }

                if (status == 202 && endpoint.Method == "DELETE")
                {
                    await PushAsync(root);
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static async Task<(int Status, string Body)> AskAsync(HttpClient client, Endpoint endpoint, string? upload)
    {
        var image = AccessScene.Image;
        var path = endpoint.Path
            .Replace("{upload}", upload, StringComparison.Ordinal)
            .Replace("{team}", AccessScene.Own, StringComparison.Ordinal)
            .Replace("{tag}", Scene.Tag, StringComparison.Ordinal)
            .Replace("{digest}", $"{image.Digest}", StringComparison.Ordinal)
            .Replace("{layer}", $"{image.Layer.Digest}", StringComparison.Ordinal)
            .Replace("{empty}", $"{Digest.Sha256([])}", StringComparison.Ordinal);
        var isManifest = endpoint is { Route: nameof(Route.Manifest), Method: "PUT" };
        return await SendAsync(client, endpoint.Method, path, isManifest ? image.Manifest : null);
    }

    private static async Task<(int Status, string Body)> SendAsync(HttpClient client, string method, string path, TestBlob? content = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (content is not null)
        {
            request.Content = new ReadOnlyMemoryContent(content.Content);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", content.MediaType);
        }

        using var answer = await client.SendAsync(request);
        return ((int)answer.StatusCode, answer.Headers.Location?.ToString() ?? await answer.Content.ReadAsStringAsync());
    }

    private static async Task<string?> BeginAsync(HttpClient client) =>
        await SendAsync(client, "POST", $"/v2/{AccessScene.Own}/blobs/uploads/") is (202, var location) ? location : null;

    private static async Task PushAsync(HttpClient root)
    {
        var image = AccessScene.Image;
        foreach (var blob in image.Blobs)
        {
            Assert.Equal(201, (await SendAsync(root, "POST", $"/v2/{AccessScene.Own}/blobs/uploads/?digest={blob.Digest}", blob)).Status);
        }

        Assert.Equal(201, (await SendAsync(root, "PUT", $"/v2/{AccessScene.Own}/manifests/{Scene.Tag}", image.Manifest)).Status);
    }

    private static bool IsError(string body) =>
        JsonDocument.Parse(body).RootElement.TryGetProperty("errors", out var errors) && errors[0].GetProperty("code").GetString()!.Length > 0;

    private HttpClient Client() => With(_scene.Client(), "Basic", BasicOf("root", TestUsers.PasswordOf("root")));

    private async Task<HttpClient> ClientOfAsync(string who)
    {
        const string Team = $"repository:{AccessScene.Own}:pull,push,delete";
        string[] users = ["eve", "bob", "ci", "alice", "root"];
        var inside = IPAddress.Parse("127.0.0.2");
        switch (who)
        {
            case "nobody in particular":
                return _scene.Client();
            case "nobody in particular, inside":
                return _scene.Client(from: inside);
            case "a wrong password":
                return With(_scene.Client(), "Basic", BasicOf("alice", "wrong"));
            case "a wrong password, inside":
                return With(_scene.Client(from: inside), "Basic", BasicOf("alice", "wrong"));
            case var user when users.Contains(user):
                return With(_scene.Client(), "Basic", BasicOf(user, TestUsers.PasswordOf(user)));
            case "alice's certificate":
                return _scene.Client(certificate: Kept(_clients.Issue("alice", use: TestAuthority.ClientUse)));
            case "another authority's certificate":
                return _scene.Client(certificate: Kept(_strangers.Issue("alice", use: TestAuthority.ClientUse)));
        }

        var token = who switch
        {
            "alice's token" => await TokenAsync("alice", Team),
            "alice's token for pulling" => await TokenAsync("alice", $"repository:{AccessScene.Own}:pull"),
            "alice's token for pushing" => await TokenAsync("alice", $"repository:{AccessScene.Own}:pull,push"),
            "alice's token for lists" => await TokenAsync("alice", "registry:catalog:*"),
            "alice's token for nothing" => await TokenAsync("alice", ""),
            "eve's token" => await TokenAsync("eve", Team),
            "nobody's token" => await TokenAsync(null, Team),
            "an expired token" => await TokenAsync("alice", Team),
            "a refresh token" => await TokenAsync("alice", Team, "refresh_token"),
            "another issuer's token" => Foreign(),
            "another issuer's token for pulling" => Foreign(payload => payload["access"] = new JsonArray(
                new JsonObject { ["type"] = "repository", ["name"] = AccessScene.Own, ["actions"] = new JsonArray("pull") })),
            "another issuer's token for nothing" => Foreign(payload => payload.Remove("access")),
            "another issuer's token for another service" => Foreign(payload => payload["aud"] = "other.example.com"),
            "another issuer's expired token" => Foreign(payload => payload["exp"] = _scene.Mirror.Time.GetUtcNow().ToUnixTimeSeconds() - 100),
            "a token of alg none" => Jws.Sign(new JsonObject { ["typ"] = "JWT", ["alg"] = "none" }, Payload(), _ => []),
            "a token with its own key" => WithItsOwnKey(),
            "a token signed with the public key" => Jws.Sign(
                new JsonObject { ["typ"] = "JWT", ["alg"] = "HS256" },
                Payload(),
                data => HMACSHA256.HashData(Encoding.UTF8.GetBytes(_issuer.ExportSubjectPublicKeyInfoPem()), data)),
            _ => throw new ArgumentOutOfRangeException(nameof(who), who, "Nobody knows how to be that."),
        };
        if (who == "an expired token")
        {
            _scene.Mirror.Time.Advance(TimeSpan.FromMinutes(10));
        }

        return With(_scene.Client(), "Bearer", token);
    }

    private async Task<string> TokenAsync(string? user, string scope, string kind = "token")
    {
        using var client = user is null ? _scene.Client() : With(_scene.Client(), "Basic", BasicOf(user, TestUsers.PasswordOf(user)));
        var (status, body) = await SendAsync(client, "GET", $"/token?offline_token=true&scope={scope}");
        Assert.Equal(200, status);
        return JsonDocument.Parse(body).RootElement.GetProperty(kind).GetString()!;
    }

    private string Foreign(Action<JsonObject>? change = null)
    {
        var payload = Payload();
        change?.Invoke(payload);
        return Jws.Sign(new JsonObject { ["typ"] = "JWT", ["alg"] = "RS256" }, payload, Jws.With(_issuer, "RS256"));
    }

    private string WithItsOwnKey()
    {
        using var own = RSA.Create(2048);
        var parameters = own.ExportParameters(includePrivateParameters: false);
        var key = new JsonObject { ["kty"] = "RSA", ["n"] = Jws.Base64(parameters.Modulus!), ["e"] = Jws.Base64(parameters.Exponent!) };
        return Jws.Sign(new JsonObject { ["typ"] = "JWT", ["alg"] = "RS256", ["jwk"] = key }, Payload(), Jws.With(own, "RS256"));
    }

    /// <summary>Another issuer's gift: all of team-a/app, and to pull what else only named readers may.</summary>
    private JsonObject Payload()
    {
        var now = _scene.Mirror.Time.GetUtcNow().ToUnixTimeSeconds();
        return new JsonObject
        {
            ["iss"] = Issuer,
            ["aud"] = Service,
            ["sub"] = "mallory",
            ["nbf"] = now,
            ["exp"] = now + 300,
            ["access"] = new JsonArray(
                new JsonObject { ["type"] = "repository", ["name"] = AccessScene.Own, ["actions"] = new JsonArray("*") },
                new JsonObject { ["type"] = "repository", ["name"] = $"docker.io/{AccessScene.Secret}", ["actions"] = new JsonArray("pull") }),
        };
    }

    private X509Certificate2 Kept(X509Certificate2 certificate)
    {
        _disposables.Add(certificate);
        return certificate;
    }

    private static string BasicOf(string user, string password) => Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));

    private static HttpClient With(HttpClient client, string scheme, string parameter)
    {
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"{scheme} {parameter}");
        return client;
    }
}
