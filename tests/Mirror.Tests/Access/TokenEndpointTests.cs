using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Access.Tokens;
using Mirror.Testing;

namespace Mirror.Tests.Access;

/// <summary><c>/token</c> over HTTP, in Docker's form and in OAuth2's.</summary>
public sealed class TokenEndpointTests : IAsyncLifetime
{
    private const string Scope = "repository:team-a/app:pull,push";

    private readonly TokenScene _scene = new();
    private readonly WebApplication _web;
    private readonly HttpClient _client = new();
    private string? _certificateUser;

    public TokenEndpointTests()
    {
        var endpoint = new TokenEndpoint(
            _scene.Own, CheckAsync, _ => _certificateUser, _scene.Time, _scene.Log.CreateLogger<TokenEndpoint>());
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0));
        _web = builder.Build();
        _web.Run(endpoint.HandleAsync);
    }

    public async Task InitializeAsync()
    {
        await _web.StartAsync();
        _client.BaseAddress = new Uri(_web.Urls.Single());
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _web.DisposeAsync();
        _scene.Dispose();
    }

    [Fact]
    public async Task Who_sends_nothing_has_an_anonymous_token()
    {
        using var response = await GetAsync($"service=mirror.test&scope={Scope}&client_id=docker");

        var reply = await JsonOf(response);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        Assert.True(response.Headers.CacheControl!.NoStore);
        Assert.Equal(["token", "access_token", "expires_in", "issued_at"], reply.Select(pair => pair.Key));
        Assert.Equal((string?)reply["token"], (string?)reply["access_token"]);
        Assert.Equal(300, (int)reply["expires_in"]!);
        Assert.Equal("2026-01-01T00:00:00Z", (string?)reply["issued_at"]);
        Assert.Equal(new TokenAnswer.Own(null, TokenScene.AskedFor), await _scene.Reader.ReadAsync((string)reply["token"]!));
    }

    [Fact]
    public async Task A_user_has_a_token_and_if_it_asks_for_that_one_to_log_in_with_again()
    {
        using var response = await GetAsync($"service=mirror.test&scope={Scope}&scope=registry:catalog:*&account=alice", "alice", TokenScene.Password);
        using var offline = await GetAsync("service=mirror.test&account=alice&offline_token=true", "alice", TokenScene.Password);

        var reply = await JsonOf(response);
        var own = Assert.IsType<TokenAnswer.Own>(await _scene.Reader.ReadAsync((string)reply["token"]!));
        Assert.Equal(("alice", true), (own.User, own.Grant.Catalog));
        Assert.Null(reply["refresh_token"]);
        Assert.Equal("alice", await _scene.Own.FindUserAsync((string)(await JsonOf(offline))["refresh_token"]!));
    }

    [Fact]
    public async Task A_body_that_does_not_come_is_given_up_after_half_a_minute()
    {
        using var connection = await RawHttp.ConnectAsync(_client.BaseAddress!);
        await connection.SendAsync(RawHttp.Request(
            _client.BaseAddress!, "POST", "/token", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000"));
        await connection.SendAsync("grant_type=pass");
        await _scene.Time.TimerArmed(TimeSpan.FromSeconds(30));

        _scene.Time.Advance(TimeSpan.FromSeconds(30));

        Assert.Equal(408, (await connection.ReadResponseAsync()).Status);
    }

    [Theory]
    [InlineData("alice", "wrong")]
    [InlineData("nobody", TokenScene.Password)]
    [InlineData("", "")]
    public async Task A_wrong_password_is_never_anonymous(string user, string password)
    {
        using var get = await GetAsync($"service=mirror.test&scope={Scope}", user, password);
        using var post = await PostAsync(("grant_type", "password"), ("username", user), ("password", password), ("client_id", "x"), ("service", "mirror.test"));

        foreach (var response in new[] { get, post })
        {
            var reply = await JsonOf(response);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal("Basic realm=\"mirror.test\"", response.Headers.WwwAuthenticate.ToString());
            Assert.True(response.Headers.CacheControl!.NoStore);
            Assert.Equal("UNAUTHORIZED", (string?)reply["errors"]![0]!["code"]);
            Assert.Equal("invalid_grant", (string?)reply["error"]);
        }
    }

    [Theory]
    [InlineData("Basic")]
    [InlineData("Basic !")]
    [InlineData("Basic YWxpY2U=")]
    [InlineData("Basic /////w==")]
    [InlineData("Bearer abc")]
    [InlineData("Nonsense")]
    public async Task What_can_not_be_read_as_a_password_is_never_anonymous(string authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/token?scope={Scope}");
        request.Headers.TryAddWithoutValidation("Authorization", authorization);

        using var response = await _client.SendAsync(request);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task Who_has_tried_too_often_is_told_when_to_try_again()
    {
        using var get = await GetAsync("", "slow", "x");
        using var post = await PostAsync(("grant_type", "password"), ("username", "slow"), ("password", "x"));

        Assert.Equal((HttpStatusCode.TooManyRequests, HttpStatusCode.TooManyRequests), (get.StatusCode, post.StatusCode));
        Assert.Equal(("3", "3"), (get.Headers.RetryAfter!.ToString(), post.Headers.RetryAfter!.ToString()));
    }

    [Fact]
    public async Task A_client_certificate_names_the_user_where_no_password_does()
    {
        _certificateUser = "carol";
        using var byCertificate = await GetAsync("offline_token=true");
        using var byPassword = await GetAsync("", "alice", TokenScene.Password);
        using var wrong = await GetAsync("", "alice", "wrong");

        var reply = await JsonOf(byCertificate);
        Assert.Null(reply["refresh_token"]);
        Assert.Equal(new TokenAnswer.Own("carol", Grant.Nothing), await _scene.Reader.ReadAsync((string)reply["token"]!));
        Assert.Equal(new TokenAnswer.Own("alice", Grant.Nothing), await _scene.Reader.ReadAsync((string)(await JsonOf(byPassword))["token"]!));
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
    }

    [Fact]
    public async Task OAuth2_logs_in_with_a_password_and_then_with_the_refresh_token()
    {
        using var login = await PostAsync(
            ("grant_type", "password"), ("username", "alice"), ("password", TokenScene.Password), ("access_type", "offline"),
            ("client_id", "docker"), ("service", "mirror.test"), ("scope", $"{Scope} nonsense"));
        var reply = await JsonOf(login);
        Assert.Equal(["access_token", "expires_in", "issued_at", "scope", "refresh_token"], reply.Select(pair => pair.Key));
        Assert.Equal(Scope, (string?)reply["scope"]);
        Assert.True(login.Headers.CacheControl!.NoStore);

        using var refresh = await PostAsync(
            ("grant_type", "refresh_token"), ("refresh_token", (string)reply["refresh_token"]!), ("service", "mirror.test"), ("scope", Scope));

        var again = await JsonOf(refresh);
        Assert.Equal(["access_token", "expires_in", "issued_at", "scope"], again.Select(pair => pair.Key));
        Assert.Equal(new TokenAnswer.Own("alice", TokenScene.AskedFor), await _scene.Reader.ReadAsync((string)again["access_token"]!));

        _scene.WriteUser("alice", "another secret");
        using var refused = await PostAsync(("grant_type", "refresh_token"), ("refresh_token", (string)reply["refresh_token"]!));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal("invalid_grant", (string?)(await JsonOf(refused))["error"]);
    }

    [Theory]
    [InlineData("grant_type=password&username=alice", "invalid_request")]
    [InlineData("grant_type=password&username=alice&password=a&password=b", "invalid_request")]
    [InlineData("grant_type=refresh_token", "invalid_request")]
    [InlineData("username=alice&password=x", "invalid_request")]
    [InlineData("", "invalid_request")]
    [InlineData("grant_type=client_credentials", "unsupported_grant_type")]
    [InlineData("grant_type=password&username=alice&password=x&service=other", "invalid_request")]
    public async Task A_form_that_is_not_right_is_a_bad_request(string form, string error)
    {
        using var content = new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded");
        using var response = await _client.PostAsync("/token", content);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(error, (string?)(await JsonOf(response))["error"]);
    }

    [Theory]
    [InlineData("application/json", 10)]
    [InlineData("application/x-www-form-urlencoded", 65_537)]
    public async Task A_body_of_another_kind_or_too_long_is_a_bad_request(string type, int length)
    {
        using var content = new ByteArrayContent(new byte[length]);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        using var response = await _client.PostAsync("/token", content);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Tokens_for_another_service_are_not_issued()
    {
        using var response = await GetAsync("service=other.test", "alice", TokenScene.Password);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("UNSUPPORTED", (string?)(await JsonOf(response))["errors"]![0]!["code"]);
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("HEAD")]
    [InlineData("OPTIONS")]
    public async Task Other_methods_are_not_allowed(string method)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), "/token");
        using var response = await _client.SendAsync(request);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(["GET", "POST"], response.Content.Headers.Allow);
    }

    [Fact]
    public async Task No_password_and_no_token_is_logged()
    {
        using var get = await GetAsync($"scope={Scope}&offline_token=true", "alice", TokenScene.Password);
        using var wrong = await GetAsync("", "alice", "a wrong secret");
        var reply = await JsonOf(get);

        Assert.Contains(_scene.Log.Lines, line => line.Contains($"A token for alice: {Scope}", StringComparison.Ordinal));
        string[] secrets = [TokenScene.Password, "a wrong secret", .. ((string)reply["token"]!).Split('.'), .. ((string)reply["refresh_token"]!).Split('.')];
        Assert.All(secrets, secret => Assert.DoesNotContain(_scene.Log.Lines, line => line.Contains(secret, StringComparison.Ordinal)));
    }

    private async Task<LoginAnswer> CheckAsync(HttpContext http, string user, string password) => user == "slow" ? new LoginAnswer.TooMany(TimeSpan.FromSeconds(2.5))
        : await _scene.Logins.CheckAsync(http.Connection.RemoteIpAddress, user, password);

    private async Task<HttpResponseMessage> GetAsync(string query, string? user = null, string? password = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/token?{query}");
        if (user is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
        }

        return await _client.SendAsync(request);
    }

    private async Task<HttpResponseMessage> PostAsync(params (string Name, string Value)[] form)
    {
        using var content = new FormUrlEncodedContent(form.Select(pair => KeyValuePair.Create(pair.Name, pair.Value)));
        return await _client.PostAsync("/token", content);
    }

    private static async Task<JsonObject> JsonOf(HttpResponseMessage response) => (JsonObject)JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
}
