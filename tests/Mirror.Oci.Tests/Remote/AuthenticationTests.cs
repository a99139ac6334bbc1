using System.Text;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class AuthenticationTests
{
    private const string User = "alice";
    private const string Password = "correct horse";
    private static readonly string Basic = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{User}:{Password}"));

    [Fact]
    public async Task A_registry_that_asks_for_nothing_is_sent_nothing()
    {
        await using var scene = await RemoteScene.StartAsync(User, Password);

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        Assert.Null(Assert.Single(scene.Registry.Requests).Header("Authorization"));
    }

    [Fact]
    public async Task A_basic_challenge_is_answered_and_remembered()
    {
        await using var scene = await RemoteScene.StartAsync(User, Password);
        scene.Registry.RequireBasic(User, Password);

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        Assert.Equal([null, Basic, Basic], scene.Registry.Requests.Select(request => request.Header("Authorization")));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData(User, "wrong")]
    public async Task Wrong_or_no_credentials_are_denied_and_not_tried_again_and_again(string? user, string? password)
    {
        await using var scene = await RemoteScene.StartAsync(user, password);
        scene.Registry.RequireBasic(User, Password);

        var denied = Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Contains(user is null ? "none are configured" : "asked as user alice", denied.WhyInFull, StringComparison.Ordinal);
        Assert.True(scene.Registry.Requests.Count <= 2);
    }

    [Theory]
    [InlineData("repository:org/app:pull,push,delete")]
    [InlineData("repository:someone/else:pull")]
    [InlineData("registry:catalog:*")]
    public async Task Whatever_scope_a_challenge_names_a_token_is_asked_for_what_is_wanted(string scope)
    {
        await using var scene = await RemoteScene.StartAsync(User, Password);
        scene.Registry.RequireTokens(User, Password, new TokenOptions { ChallengeScope = scope });

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        var asked = Assert.Single(TokenRequests(scene.Registry));
        Assert.Contains("&scope=repository:org/app:pull&", Uri.UnescapeDataString(asked.Target), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("token", 300)]
    [InlineData("access_token", null)]
    public async Task An_anonymous_token_is_fetched_once_for_a_scope(string field, int? expiresIn)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireTokens(options: new TokenOptions { Field = field, ExpiresIn = expiresIn });

        for (var i = 0; i < 3; i++)
        {
            Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
        }

        var token = Assert.Single(TokenRequests(scene.Registry));
        Assert.Contains("scope=repository%3Aorg%2Fapp%3Apull", token.Query, StringComparison.Ordinal);
        Assert.Null(token.Header("Authorization"));
    }

    [Fact]
    public async Task Credentials_go_to_the_registrys_own_token_server_and_not_to_the_registry()
    {
        await using var scene = await RemoteScene.StartAsync(User, Password);
        scene.Registry.RequireTokens(User, Password, new TokenOptions { AllowAnonymous = false });

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        Assert.Equal(Basic, Assert.Single(TokenRequests(scene.Registry)).Header("Authorization"));
        Assert.DoesNotContain(scene.Registry.Requests, request => request.Path != "/token" && request.Header("Authorization") == Basic);
    }

    [Fact]
    public async Task Fifty_requests_at_once_fetch_one_token()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireTokens();

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => scene.GetManifestAsync()));

        Assert.All(answers, answer => Assert.IsType<RemoteAnswer<Manifest>.Found>(answer));
        Assert.Single(TokenRequests(scene.Registry));
    }

    [Fact]
    public async Task A_token_that_the_registry_no_longer_takes_is_replaced_once()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireTokens();
        await scene.GetManifestAsync();

        scene.Registry.ExpireTokens();
        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        Assert.Equal(2, TokenRequests(scene.Registry).Count());
    }

    [Fact]
    public async Task A_token_is_renewed_before_it_expires()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireTokens(options: new TokenOptions { ExpiresIn = 300 });
        await scene.GetManifestAsync();

        scene.Time.Advance(TimeSpan.FromSeconds(239));
        await scene.GetManifestAsync();
        Assert.Single(TokenRequests(scene.Registry));

        scene.Time.Advance(TimeSpan.FromSeconds(2));
        scene.Registry.ClearRequests();
        await scene.GetManifestAsync();
        Assert.Equal(["/token", "/v2/org/app/manifests/1"], scene.Registry.Requests.Select(request => request.Path));
    }

    [Fact]
    public async Task A_foreign_token_server_is_asked_without_the_credentials_and_the_refusal_says_so()
    {
        await using var tokens = await TokenServer.StartAsync();
        var realm = tokens.Url.Host == "127.0.0.1" ? new UriBuilder(tokens.Url) { Host = "localhost" }.Uri : tokens.Url;
        await using var scene = await RemoteScene.StartAsync(User, Password);
        scene.Registry.On(_ => true).Do(Behaviour.Status(401, "", ("WWW-Authenticate", $"Bearer realm=\"{realm}token\",service=\"s\"")));
        tokens.On(_ => true).Do(Behaviour.Status(401));

        var denied = Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Contains("not sent", denied.WhyInFull, StringComparison.Ordinal);
        Assert.All(tokens.Requests, request => Assert.Null(request.Header("Authorization")));
        Assert.NotEmpty(tokens.Requests);
    }

    [Fact]
    public async Task A_foreign_token_server_that_the_operator_named_sees_the_credentials()
    {
        await using var tokens = await TokenServer.StartAsync();
        await using var scene = await RemoteScene.StartAsync(User, Password, $"localhost:{tokens.Url.Port}");
        var realm = new UriBuilder(tokens.Url) { Host = "localhost", Path = "/token" }.Uri;
        scene.Registry.On(request => request.Header("Authorization") is null).Do(
            Behaviour.Status(401, "", ("WWW-Authenticate", $"Bearer realm=\"{realm}\",service=\"s\"")));
        tokens.On(_ => true).Do(Behaviour.Status(200, """{"token":"abc"}"""));

        await scene.GetManifestAsync();

        Assert.Equal(Basic, Assert.Single(tokens.Requests).Header("Authorization"));
    }

    [Theory]
    [InlineData("Bearer realm=\"ftp://x/token\"")]
    [InlineData("Bearer realm=\"http://user:pw@127.0.0.1/token\"")]
    [InlineData("Bearer realm=\"\"")]
    [InlineData("Bearer")]
    [InlineData("Negotiate")]
    [InlineData("Basic, =,,\"")]
    [InlineData("Bearer realm=\"unterminated")]
    public async Task A_challenge_that_can_not_be_answered_is_a_failure_and_not_a_loop(string challenge)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(_ => true).Do(Behaviour.Status(401, "", ("WWW-Authenticate", challenge)));

        RemoteScene.FailureOf(await scene.GetManifestAsync());

        Assert.True(scene.Registry.Requests.Count <= 2);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("""{"token":""}""")]
    [InlineData("""{"token":"a\r\nX-Evil: 1"}""")]
    [InlineData("""{"token":"\ud800"}""")]
    [InlineData("""{"token":7}""")]
    public async Task An_answer_without_a_usable_token_is_a_bad_answer(string body)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireTokens();
        scene.Registry.On(request => request.Path == "/token").Do(Behaviour.Status(200, body));

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Equal(UnavailableReason.BadAnswer, failure.Reason);
    }

    [Fact]
    public async Task A_token_server_that_is_down_is_unavailable_and_never_missing()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireTokens();
        scene.Registry.On(request => request.Path == "/token").Do(Behaviour.Status(404));

        Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await scene.GetManifestAsync()));
    }

    [Fact]
    public async Task A_registry_that_no_longer_asks_for_what_we_do_not_have_is_asked_again()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireBasic(User, Password);
        var denied = Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        scene.Registry.RequireNothing();

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
        Assert.Contains("none are configured", denied.WhyInFull, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_registry_that_no_longer_asks_for_tokens_needs_no_token_server()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireTokens();
        await scene.GetManifestAsync();

        scene.Registry.RequireNothing();
        scene.Registry.On(request => request.Path == "/token").Do(Behaviour.Status(503));
        scene.Time.Advance(TimeSpan.FromHours(1));

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }

    private static IEnumerable<RecordedRequest> TokenRequests(FakeRegistry registry) => registry.Requests.Where(request => request.Path == "/token");
}
