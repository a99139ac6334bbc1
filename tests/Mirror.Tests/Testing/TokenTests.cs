using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Testing;

public sealed class TokenTests : IAsyncLifetime
{
    private const string PullAlpine = "repository:library/alpine:pull";
    private const string PullSecret = "repository:team/secret:pull";
    private static readonly RepositoryName Alpine = RepositoryName.Parse("library/alpine");
    private static readonly RepositoryName Secret = RepositoryName.Parse("team/secret");
    private static readonly TestImage Image = TestImage.Create();

    private readonly HttpClient _client = new();
    private FakeRegistry _upstream = null!;

    public async Task InitializeAsync()
    {
        _upstream = await FakeRegistry.StartAsync();
        _upstream.Add(Alpine, Image, "1");
        _upstream.Add(Secret, Image, "1");
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _upstream.DisposeAsync();
    }

    [Fact]
    public async Task A_request_without_a_token_is_told_where_to_get_one()
    {
        _upstream.RequireTokens();
        using var response = await GetAsync(Alpine, null);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(
            $"Bearer realm=\"{_upstream.Url}token\",service=\"fake\",scope=\"{PullAlpine}\"",
            $"{response.Headers.WwwAuthenticate}");
    }

    [Fact]
    public async Task An_anonymous_token_opens_what_is_public_until_it_expires()
    {
        _upstream.RequireTokens(options: new TokenOptions { Private = [Secret], Field = "access_token", ExpiresIn = null });
        var reply = await TokenAsync(null, PullAlpine, PullSecret);
        var token = reply.GetProperty("access_token").GetString();
        Assert.False(reply.TryGetProperty("expires_in", out _));

        Assert.Equal(HttpStatusCode.OK, (await GetAsync(Alpine, token)).StatusCode);
        using var refused = await GetAsync(Secret, token);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Contains("error=\"insufficient_scope\"", $"{refused.Headers.WwwAuthenticate}", StringComparison.Ordinal);

        _upstream.ExpireTokens();
        using var expired = await GetAsync(Alpine, token);
        Assert.Contains("error=\"invalid_token\"", $"{expired.Headers.WwwAuthenticate}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_users_token_opens_what_it_was_asked_for()
    {
        _upstream.RequireTokens("robot", "geheim", new TokenOptions { Private = [Secret], AllowAnonymous = false });
        var token = (await TokenAsync("robot:geheim", PullSecret)).GetProperty("token").GetString();

        Assert.Equal(HttpStatusCode.OK, (await GetAsync(Secret, token)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(Alpine, token)).StatusCode);
        await Assert.ThrowsAsync<HttpRequestException>(() => TokenAsync("robot:wrong", PullSecret));
        await Assert.ThrowsAsync<HttpRequestException>(() => TokenAsync(null, PullSecret));
    }

    [Fact]
    public async Task A_token_can_be_posted_for()
    {
        _upstream.RequireTokens("robot", "geheim", new TokenOptions { Private = [Secret], IdentityToken = "identity" });
        string[] grants = ["grant_type=password&username=robot&password=geheim", "grant_type=refresh_token&refresh_token=identity"];
        foreach (var grant in grants)
        {
            using var content = new StringContent($"{grant}&service=fake&scope={Uri.EscapeDataString(PullSecret)}");
            using var response = await _client.PostAsync(new Uri(_upstream.Url, "/token"), content);
            using var reply = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());

            Assert.Equal(HttpStatusCode.OK, (await GetAsync(Secret, reply.RootElement.GetProperty("token").GetString())).StatusCode);
        }
    }

    [Fact]
    public async Task A_realm_may_be_another_server()
    {
        await using var server = await TokenServer.StartAsync();
        _upstream.RequireTokens(options: new TokenOptions { Server = server });
        using var challenge = await GetAsync(Alpine, null);
        var token = (await TokenAsync(null, server.Realm, PullAlpine)).GetProperty("token").GetString();

        Assert.Contains($"realm=\"{server.Realm}\"", $"{challenge.Headers.WwwAuthenticate}", StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(Alpine, token)).StatusCode);
        Assert.Equal("/token", Assert.Single(server.Requests).Path);
    }

    [Fact]
    public async Task A_challenge_comes_before_what_the_test_wants()
    {
        _upstream.RequireBasic("robot", "geheim");
        _upstream.On(HttpMethod.Get, Alpine, "1").Times(1).Do(Behaviour.Status(500));
        using var anonymous = await GetAsync(Alpine, null);
        Assert.Equal(HttpStatusCode.Unauthorized, anonymous.StatusCode);

        using var request = new HttpRequestMessage(HttpMethod.Get, _upstream.ManifestUrl(Alpine, "1"));
        request.Headers.Authorization = Basic("robot:geheim");
        Assert.Equal(HttpStatusCode.InternalServerError, (await _client.SendAsync(request)).StatusCode);
    }

    private static AuthenticationHeaderValue Basic(string credentials) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)));

    private async Task<HttpResponseMessage> GetAsync(RepositoryName repository, string? token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _upstream.ManifestUrl(repository, "1"));
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return await _client.SendAsync(request);
    }

    private Task<JsonElement> TokenAsync(string? credentials, params string[] scopes) =>
        TokenAsync(credentials, new Uri(_upstream.Url, "/token"), scopes);

    private async Task<JsonElement> TokenAsync(string? credentials, Uri realm, params string[] scopes)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{realm}?service=fake&scope={string.Join("&scope=", scopes)}");
        request.Headers.Authorization = credentials is null ? null : Basic(credentials);
        using var response = await _client.SendAsync(request);
        response.EnsureSuccessStatusCode();
        using var reply = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
        return reply.RootElement.Clone();
    }
}
