using System.Net;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Access;

/// <summary>
/// A mirror with users and rules. Upstream has library/alpine, which is everybody's, and secret/app, which only the mirror's credentials open. team-a/app
/// and team-b/app are pushed.
/// </summary>
internal sealed class AccessScene : IAsyncDisposable
{
    public const Rights All = Rights.Pull | Rights.Push | Rights.Delete;
    public const string Own = "team-a/app";
    public const string Others = "team-b/app";
    public const string Secret = "secret/app";

    public static readonly TestImage Image = TestImage.Create(layers: 1, layerSize: 3000, seed: 91);
    public static readonly TestImage OthersImage = TestImage.Create(layers: 1, layerSize: 3000, seed: 92);
    public static readonly TestImage SecretImage = TestImage.Create(layers: 1, layerSize: 3000, seed: 93);

    private readonly FakeRegistry _upstream;

    private AccessScene(FakeRegistry upstream, TestUsers users, MirrorHost mirror) => (_upstream, Users, Mirror) = (upstream, users, mirror);

    public TestUsers Users { get; }

    public MirrorHost Mirror { get; }

    /// <summary>alice may do everything with team-a, ci may pull and push it, bob may pull it, root may do everything everywhere; nobody else has anything there.</summary>
    public static AccessOptions Rules(string users) => new()
    {
        Users = users,
        Rules =
        [
            Rule(["team-a/**"], ["alice"], All),
            Rule(["team-a/**"], ["ci"], Rights.Pull | Rights.Push),
            Rule(["team-a/**", "docker.io/secret/**"], ["bob"], Rights.Pull),
            Rule(["**"], ["root"], All),
            Rule(["team-*/**"], [], Rights.None),
        ],
    };

    public static AccessRule Rule(string[] repositories, string[] users, Rights allow, params string[] networks) =>
        new([.. repositories.Select(RepositoryPattern.Parse)], users, [.. networks.Select(IPNetwork.Parse)], allow);

    /// <param name="access">Makes the rights, from the path of the users file.</param>
    /// <param name="configure">Changes how the server is reached.</param>
    public static async Task<AccessScene> StartAsync(
        Func<string, AccessOptions>? access = null, Func<ServerOptions, ServerOptions>? configure = null)
    {
        var upstream = await FakeRegistry.StartAsync();
        upstream.Add(Scene.Repository, Image, Scene.Tag);
        upstream.Add(RepositoryName.Parse(Secret), SecretImage, Scene.Tag);
        upstream.RequireTokens("mirror", "secret", new TokenOptions { Private = [RepositoryName.Parse(Secret)] });
        var users = new TestUsers("alice", "bob", "root", "eve");
        var registry = MirrorHost.Registry("docker.io", upstream) with { Default = true, Username = "mirror", Password = new Secret("secret") };
        var mirror = await MirrorHost.StartAsync([registry], (access ?? Rules)(users.Path), local: ["*", "team-*/**"], configure);
        return new AccessScene(upstream, users, mirror);
    }

    /// <summary>Pushes an image as root.</summary>
    public async Task PushAsync(string repository, TestImage image, string tag)
    {
        foreach (var blob in image.Blobs)
        {
            Assert.Equal(201, (await SendAsync("POST", $"/v2/{repository}/blobs/uploads/?digest={blob.Digest}", "root", blob)).Status);
        }

        Assert.Equal(201, (await SendAsync("PUT", $"/v2/{repository}/manifests/{tag}", "root", image.Manifest)).Status);
    }

    /// <summary>A request of a user; of nobody in particular where <paramref name="user"/> is null.</summary>
    public Task<RawResponse> SendAsync(string method, string path, string? user, TestBlob? body = null) =>
        SendWithAsync(method, path, user is null ? [] : [TestUsers.HeaderOf(user)], body);

    public async Task<RawResponse> SendWithAsync(string method, string path, string[] headers, TestBlob? body = null)
    {
        string[] all = body is null ? headers : [.. headers, $"Content-Type: {body.MediaType}", $"Content-Length: {body.Content.Length}"];
        using var connection = await RawHttp.ConnectAsync(Mirror.Url);
        await connection.SendAsync(RawHttp.Request(Mirror.Url, method, path, [.. all, "Connection: close"]));
        if (body is not null)
        {
            await connection.SendAsync(body.Content);
        }

        return await connection.ReadResponseAsync(isHead: method == "HEAD");
    }

    public async Task<int> StatusAsync(string method, string path, string? user, TestBlob? body = null) => (await SendAsync(method, path, user, body)).Status;

    public async ValueTask DisposeAsync()
    {
        await Mirror.DisposeAsync();
        await _upstream.DisposeAsync();
        Users.Dispose();
    }
}
