using System.Text;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class DockerCredentialTests : IDisposable
{
    private const string User = "alice";
    private const string Password = "correct horse";
    private const string Secret = "an-identity-token";
    private readonly TemporaryDirectory _folder = new();

    // Helpers are looked for on the PATH, which is the process's: a name of its own for each test's.
    private readonly string _helper = $"test-{Guid.NewGuid():N}";
    private readonly string? _path = Environment.GetEnvironmentVariable("PATH");

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("PATH", _path);
        _folder.Dispose();
    }

    [Fact]
    public async Task What_docker_login_has_left_in_the_file_is_used()
    {
        await using var scene = await StartAsync(host => $$"""{"auths":{"{{host}}":{"auth":"{{Encode($"{User}:{Password}")}}"} } }""");
        scene.Registry.RequireBasic(User, Password);

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"auths":{"other.example":{"auth":"YTpi"}}}""")]
    [InlineData(null)]
    public async Task Where_docker_has_nothing_we_are_nobody(string? config)
    {
        await using var scene = await StartAsync(_ => config);
        scene.Registry.RequireTokens(User, Password);

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        Assert.All(scene.Registry.Requests.Where(request => request.Path == "/token"), request => Assert.Null(request.Header("Authorization")));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("""{"auths":{"HOST":{"auth":"secret%"}}}""")]
    [InlineData("""{"auths":{"HOST":"secret"}}""")]
    public async Task A_file_that_can_not_be_read_is_a_refusal_that_does_not_quote_it(string config)
    {
        await using var scene = await StartAsync(host => config.Replace("HOST", host, StringComparison.Ordinal));
        scene.Registry.RequireBasic(User, Password);

        var denied = Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Contains("config.json", denied.WhyInFull, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", denied.WhyInFull, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "POST")]
    [InlineData(false, "POST GET")]
    public async Task An_identity_token_is_posted_and_where_that_is_not_known_used_as_a_password(bool allowPost, string methods)
    {
        await using var scene = await StartAsync(host =>
            $$"""{"auths":{"{{host}}":{"auth":"{{Encode($"{User}:")}}","identitytoken":"{{Secret}}"} } }""");
        scene.Registry.RequireTokens(User, Secret, new TokenOptions { AllowAnonymous = false, AllowPost = allowPost, IdentityToken = Secret });

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());

        var asked = scene.Registry.Requests.Where(request => request.Path == "/token").ToList();
        Assert.Equal(methods, string.Join(' ', asked.Select(request => request.Method)));
        Assert.Equal(
            $"grant_type=refresh_token&service=fake&client_id=mirror&scope=repository%3Aorg%2Fapp%3Apull&refresh_token={Secret}", asked[0].Body);
        Assert.All(asked, request => Assert.DoesNotContain(Secret, request.Query, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"credsStore":"HELPER"}""")]
    [InlineData("""{"credHelpers":{"HOST":"HELPER"},"credsStore":"another"}""")]
    public async Task A_helper_is_asked_once_for_some_minutes(string config)
    {
        await using var scene = await StartAsync(host => Fill(config, host));
        scene.Registry.RequireBasic(User, Password);
        WriteHelper($$"""cat >> "{{_folder.Combine("asked")}}"; echo '{"Username":"{{User}}","Secret":"{{Password}}"}'""");

        for (var i = 0; i < 3; i++)
        {
            Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
        }

        Assert.Equal(scene.Registry.Url.Authority, File.ReadAllText(_folder.Combine("asked")));
        scene.Time.Advance(TimeSpan.FromMinutes(5));
        await scene.GetManifestAsync();
        Assert.Equal(2 * scene.Registry.Url.Authority.Length, File.ReadAllText(_folder.Combine("asked")).Length);
    }

    [Fact]
    public async Task A_password_that_is_refused_is_asked_for_anew()
    {
        await using var scene = await StartAsync(host => Fill("""{"credsStore":"HELPER"}""", host));
        scene.Registry.RequireBasic(User, Password);
        WriteHelper($$"""echo '{"Username":"{{User}}","Secret":"{{Password}}"}'""");
        await scene.GetManifestAsync();

        scene.Registry.RequireBasic(User, "newer");
        WriteHelper($$"""echo '{"Username":"{{User}}","Secret":"newer"}'""");

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }

    [Fact]
    public async Task A_helpers_identity_token_is_one()
    {
        await using var scene = await StartAsync(host => Fill("""{"credsStore":"HELPER"}""", host));
        scene.Registry.RequireTokens(User, Password, new TokenOptions { AllowAnonymous = false, IdentityToken = Secret });
        WriteHelper($$"""echo '{"Username":"<token>","Secret":"{{Secret}}"}'""");

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }

    [Fact]
    public async Task A_helper_that_knows_no_credentials_means_nobody()
    {
        await using var scene = await StartAsync(host => Fill("""{"credsStore":"HELPER"}""", host));
        scene.Registry.RequireTokens();
        WriteHelper("echo 'credentials not found in native keychain'; exit 1");

        Assert.IsType<RemoteAnswer<Manifest>.Found>(await scene.GetManifestAsync());
    }

    [Theory]
    [InlineData("echo hunter2; echo hunter2 >&2; exit 3", "ended with 3")]
    [InlineData("echo hunter2", "something else than")]
    [InlineData("echo '{\"Username\":7,\"Secret\":\"hunter2\"}'", "something else than")]
    [InlineData("head -c 100000 /dev/zero", "prints too much")]
    [InlineData(null, "not on the PATH")]
    public async Task A_helper_that_fails_is_a_refusal_that_says_why_and_no_secret(string? script, string why)
    {
        await using var scene = await StartAsync(host => Fill("""{"credsStore":"HELPER"}""", host));
        scene.Registry.RequireBasic(User, Password);
        if (script is not null)
        {
            WriteHelper(script);
        }

        var denied = Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Contains(why, denied.WhyInFull, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", denied.WhyInFull, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../bin/sh")]
    [InlineData("a b")]
    [InlineData("a;b")]
    public async Task A_helper_whose_name_is_a_path_or_a_command_is_not_run(string name)
    {
        await using var scene = await StartAsync(_ => $$"""{"credsStore":"{{name}}"}""");
        scene.Registry.RequireBasic(User, Password);

        var denied = Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await scene.GetManifestAsync()));

        Assert.Contains("name of its credential helper", denied.WhyInFull, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_helper_that_hangs_is_ended()
    {
        await using var scene = await StartAsync(host => Fill("""{"credsStore":"HELPER"}""", host));
        scene.Registry.RequireBasic(User, Password);
        WriteHelper("exec sleep 600");

        var waiting = scene.Time.TimerArmed(TimeSpan.FromSeconds(15));
        var asking = scene.GetManifestAsync();
        await waiting;
        scene.Time.Advance(TimeSpan.FromSeconds(15));

        var denied = Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await asking));
        Assert.Contains("did not answer", denied.WhyInFull, StringComparison.Ordinal);
    }

    private static string Encode(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private string Fill(string config, string host) =>
        config.Replace("HOST", host, StringComparison.Ordinal).Replace("HELPER", _helper, StringComparison.Ordinal);

    private Task<RemoteScene> StartAsync(Func<string, string?> config) => RemoteScene.StartAsync(options =>
    {
        var path = _folder.Combine("config.json");
        if (config(options.Url.Authority) is { } text)
        {
            File.WriteAllText(path, text);
        }

        return options with { DockerConfig = path };
    });

    private void WriteHelper(string script)
    {
        var file = _folder.Combine($"docker-credential-{_helper}");
        // Another test's child may hold a file that is being written: it is moved into place.
        File.WriteAllText(file + ".new", $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(file + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.Move(file + ".new", file, overwrite: true);
        Environment.SetEnvironmentVariable("PATH", $"{_path}{Path.PathSeparator}{_folder.Path}");
    }
}
