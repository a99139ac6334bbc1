using System.Text.Json;
using Mirror.Configuration;
using Mirror.Testing;

namespace Mirror.Tests.Access;

/// <summary>What rules give, and how those are refused to whom they do not.</summary>
public sealed class RightsTests
{
    private const string Tag = "1";
    private const string Manifest = $"/v2/{AccessScene.Own}/manifests/{Tag}";

    [Fact]
    public async Task A_user_may_what_the_first_rule_for_it_says_and_nobody_else_does()
    {
        await using var scene = await PushedAsync();
        (string? User, int Get, int Put, int Delete)[] expected =
        [
            (null, 401, 401, 401),
            ("alice", 200, 201, 202),
            ("bob", 200, 403, 403),
            ("eve", 403, 403, 403),
        ];

        foreach (var (user, get, put, delete) in expected)
        {
            Assert.Equal(
                (user, get, put, delete),
                (user,
                    await scene.StatusAsync("GET", Manifest, user),
                    await scene.StatusAsync("PUT", $"/v2/{AccessScene.Own}/manifests/two", user, AccessScene.Image.Manifest),
                    await scene.StatusAsync("DELETE", $"/v2/{AccessScene.Own}/manifests/two", user)));
        }
    }

    [Theory]
    [InlineData("alice", "wrong")]
    [InlineData("nobody", "alice-password")]
    [InlineData("", "")]
    public async Task A_wrong_password_is_said_to_be_wrong_also_where_everybody_may(string user, string password)
    {
        await using var scene = await AccessScene.StartAsync();

        foreach (var path in (string[])["/v2/", $"/v2/{Scene.Repository}/manifests/{Scene.Tag}", "/docker.io/v2/", "/v2/_catalog", Manifest])
        {
            Assert.Equal(200, (await scene.SendAsync("GET", $"/v2/{Scene.Repository}/manifests/{Scene.Tag}", user: null)).Status);
            var answer = await scene.SendWithAsync("GET", path, [TestUsers.Header(user, password)]);
            Assert.Equal((401, "UNAUTHORIZED"), (answer.Status, ErrorOf(answer)));
            scene.Mirror.Time.Advance(TimeSpan.FromMinutes(20));
        }
    }

    [Fact]
    public async Task A_search_with_nothing_for_name_and_password_is_nobodys_and_one_with_a_wrong_password_is_refused()
    {
        await using var scene = await AccessScene.StartAsync();

        (int, string) nobodys = (200, (await scene.SendAsync("GET", "/v1/search?q=", user: null)).Text);
        var empty = await scene.SendWithAsync("GET", "/v1/search?q=", [TestUsers.Header("", "")]);

        Assert.Equal(nobodys, (empty.Status, empty.Text));
        Assert.Equal(401, (await scene.SendWithAsync("GET", "/v1/search?q=", [TestUsers.Header("", "x")])).Status);
        Assert.Equal(401, (await scene.SendWithAsync("GET", "/v1/search?q=", [TestUsers.Header("alice", "")])).Status);
    }

    [Fact]
    public async Task Where_there_are_no_users_a_password_is_refused_with_the_reason()
    {
        await using var scene = await AccessScene.StartAsync(_ => new AccessOptions());

        var answer = await scene.SendAsync("GET", "/v2/", "alice");

        Assert.Equal(401, answer.Status);
        Assert.Contains("there are no users here", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(scene.Mirror.Log.Lines, line => line.Contains("failed", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Authorization: Basic !")]
    [InlineData("Authorization: Basic YWxpY2U=")]
    [InlineData("Authorization: Basic /////w==")]
    [InlineData("Authorization: Digest username=\"alice\"")]
    [InlineData("Authorization: Bearer x")]
    [InlineData("Authorization: ")]
    public async Task An_Authorization_that_can_not_be_read_is_no_login(string header)
    {
        await using var scene = await AccessScene.StartAsync();

        Assert.Equal(401, (await scene.SendWithAsync("GET", "/v2/", [header])).Status);
    }

    [Fact]
    public async Task What_may_not_be_seen_is_refused_alike_whether_it_is_there_or_not()
    {
        await using var scene = await PushedAsync();
        string[] there = [Manifest, $"/v2/{AccessScene.Own}/blobs/{AccessScene.Image.Layer.Digest}", $"/v2/{AccessScene.Own}/tags/list",
            $"/v2/{AccessScene.Own}/referrers/{AccessScene.Image.Digest}"];

        foreach (var user in (string?[])[null, "eve"])
        {
            foreach (var path in there)
            {
                var seen = await scene.SendAsync("GET", path, user);
                var unseen = await scene.SendAsync("GET", path.Replace("/app/", "/gone/", StringComparison.Ordinal), user);

                Assert.Equal(user is null ? 401 : 403, seen.Status);
                Assert.Equal((seen.Status, seen.Text), (unseen.Status, unseen.Text));
            }
        }
    }

    [Fact]
    public async Task Lists_have_what_one_may_pull()
    {
        await using var scene = await PushedAsync();
        await scene.StatusAsync("GET", $"/v2/{Scene.Repository}/manifests/{Scene.Tag}", user: null);
        await scene.StatusAsync("GET", $"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", "bob");
        (string? User, string[] Names)[] expected =
        [
            (null, ["docker.io/library/alpine"]),
            ("alice", ["docker.io/library/alpine", AccessScene.Own]),
            ("bob", ["docker.io/library/alpine", "docker.io/secret/app", AccessScene.Own]),
            ("root", ["docker.io/library/alpine", "docker.io/secret/app", AccessScene.Own, AccessScene.Others]),
        ];

        foreach (var (user, names) in expected)
        {
            var catalog = await scene.SendAsync("GET", "/v2/_catalog", user);
            var search = await scene.SendAsync("GET", "/v1/search?q=", user);

            Assert.Equal(names, Strings(JsonDocument.Parse(catalog.Body).RootElement.GetProperty("repositories")));
            Assert.Equal(
                names, JsonDocument.Parse(search.Body).RootElement.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("name").GetString()!));
        }

        static IEnumerable<string> Strings(JsonElement list) => list.EnumerateArray().Select(name => name.GetString()!);
    }

    [Fact]
    public async Task A_blob_is_mounted_from_where_one_may_pull_alone()
    {
        await using var scene = await PushedAsync();
        var layer = AccessScene.OthersImage.Layer.Digest;

        Assert.Equal(202, await scene.StatusAsync("POST", $"/v2/{AccessScene.Own}/blobs/uploads/?mount={layer}&from={AccessScene.Others}", "alice"));
        Assert.Equal(202, await scene.StatusAsync("POST", $"/v2/{AccessScene.Own}/blobs/uploads/?mount={layer}", "alice"));
        Assert.Equal(404, await scene.StatusAsync("GET", $"/v2/{AccessScene.Own}/blobs/{layer}", "alice"));
        Assert.Equal(201, await scene.StatusAsync("POST", $"/v2/{AccessScene.Own}/blobs/uploads/?mount={layer}&from={AccessScene.Others}", "root"));
    }

    [Fact]
    public async Task An_upload_is_its_users_alone_also_after_a_restart()
    {
        await using var scene = await AccessScene.StartAsync();
        var begun = await scene.SendAsync("POST", $"/v2/{AccessScene.Own}/blobs/uploads/", "alice");
        var location = begun.Head.Headers["Location"];
        Assert.Equal(202, await scene.StatusAsync("PATCH", location, "alice", AccessScene.Image.Layer));

        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(401, await scene.StatusAsync("GET", location, user: null));
            Assert.Equal(403, await scene.StatusAsync("GET", location, "bob"));
            Assert.Equal(404, await scene.StatusAsync("GET", location, "root"));
            Assert.Equal(404, await scene.StatusAsync("DELETE", location, "root"));
            Assert.Equal(204, await scene.StatusAsync("GET", location, "alice"));
            await scene.Mirror.RestartAsync();
        }

        Assert.Equal(201, await scene.StatusAsync("PUT", $"{location}?digest={AccessScene.Image.Layer.Digest}", "alice"));
    }

    [Fact]
    public async Task A_challenge_says_where_and_for_what_to_log_in()
    {
        await using var scene = await AccessScene.StartAsync();
        var realm = $"Bearer realm=\"{scene.Mirror.Url}token\",service=\"mirror\"";

        Assert.Equal(realm, await ChallengeAsync("GET", "/v2/"));
        Assert.Equal($"{realm},scope=\"repository:team-a/app:pull\"", await ChallengeAsync("GET", Manifest));
        Assert.Equal($"{realm},scope=\"repository:team-a/app:pull,push\"", await ChallengeAsync("POST", $"/v2/{AccessScene.Own}/blobs/uploads/"));
        Assert.Equal($"{realm},scope=\"repository:team-a/app:delete\"", await ChallengeAsync("DELETE", Manifest));

        async Task<string> ChallengeAsync(string method, string path)
        {
            var answer = await scene.SendAsync(method, path, user: null);
            Assert.Equal((401, "UNAUTHORIZED"), (answer.Status, ErrorOf(answer)));
            return answer.Head.Headers["WWW-Authenticate"];
        }
    }

    [Fact]
    public async Task The_root_has_clients_log_in_and_a_door_that_names_an_upstream_does_not_while_everybody_may_pull_there()
    {
        await using var scene = await AccessScene.StartAsync();
        (string Path, int Status)[] open = [("/v2/", 401), ("/docker.io/v2/", 200), ("/v2/?ns=docker.io", 200), ("/v2/docker.io/v2/", 200)];
        foreach (var (path, status) in open)
        {
            Assert.Equal((path, status), (path, await scene.StatusAsync("GET", path, user: null)));
            Assert.Equal((path, 200), (path, await scene.StatusAsync("GET", path, "eve")));
        }

        await scene.Mirror.RestartAsync(AccessScene.Rules(scene.Users.Path) with { Anonymous = Rights.None });
        foreach (var (path, _) in open)
        {
            Assert.Equal((path, 401), (path, await scene.StatusAsync("GET", path, user: null)));
        }

        await scene.Mirror.RestartAsync(new AccessOptions { Rules = [AccessScene.Rule(["**"], [], AccessScene.All, "10.0.0.0/8")] });
        Assert.Equal(200, await scene.StatusAsync("GET", "/v2/", user: null));
    }

    [Fact]
    public async Task What_upstream_gives_not_to_everybody_is_shown_to_whom_a_rule_names_and_others_may_log_in_where_no_door_names_the_upstream()
    {
        await using var scene = await AccessScene.StartAsync();
        (string Path, string? User, int Status)[] expected =
        [
            ($"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", "bob", 200),
            ($"/docker.io/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", "bob", 200),
            ($"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}?ns=docker.io", "bob", 200),
            ($"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", "eve", 404),
            ($"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", null, 401),
            ($"/docker.io/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", null, 404),
            ($"/v2/docker.io/{AccessScene.Secret}/manifests/{Scene.Tag}", null, 404),
            ($"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}?ns=docker.io", null, 404),
            ($"/v2/secret/none/manifests/{Scene.Tag}", null, 401),
            ($"/docker.io/v2/secret/none/manifests/{Scene.Tag}", null, 404),
        ];

        foreach (var (path, user, status) in expected)
        {
            Assert.Equal((path, user, status), (path, user, await scene.StatusAsync("GET", path, user)));
        }
    }

    [Fact]
    public async Task A_rule_for_everybody_names_nobody()
    {
        await using var scene = await AccessScene.StartAsync(users => new AccessOptions { Users = users, Rules = [AccessScene.Rule(["**"], [], Rights.Pull)] });

        Assert.Equal(404, await scene.StatusAsync("GET", $"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", "alice"));
        Assert.Equal(200, await scene.StatusAsync("GET", $"/v2/{Scene.Repository}/manifests/{Scene.Tag}", user: null));
    }

    [Fact]
    public async Task A_network_is_named_and_others_are_not()
    {
        await using var scene = await AccessScene.StartAsync(users => new AccessOptions
        {
            Anonymous = Rights.None,
            Users = users,
            Rules =
            [
                AccessScene.Rule(["docker.io/**"], [], Rights.Pull, "127.0.0.2/32", "10.0.0.0/8"),
                AccessScene.Rule(["team-a/**"], ["alice"], Rights.Pull, "127.0.0.2/32"),
            ],
        });
        (string Address, string Path, string? User, int Status)[] expected =
        [
            ("127.0.0.2", $"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", null, 200),
            ("127.0.0.1", $"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", null, 403),
            ("127.0.0.2", "/v2/team-a/app/tags/list", null, 401),
            ("127.0.0.2", "/v2/team-a/app/tags/list", "alice", 404),
            ("127.0.0.1", "/v2/team-a/app/tags/list", null, 403),
            ("127.0.0.1", "/v2/team-a/app/tags/list", "alice", 403),
        ];

        foreach (var (address, path, user, status) in expected)
        {
            using var connection = await RawHttp.ConnectAsync(scene.Mirror.Url, from: System.Net.IPAddress.Parse(address));
            await connection.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", path, user is null ? [] : [TestUsers.HeaderOf(user)]));

            Assert.Equal((address, path, user, status), (address, path, user, (await connection.ReadResponseAsync()).Status));
        }
    }

    [Fact]
    public async Task Who_would_get_nothing_by_logging_in_is_not_asked_to()
    {
        await using var scene = await AccessScene.StartAsync(users => new AccessOptions
        {
            Anonymous = Rights.None,
            Users = users,
            Rules =
            [
                AccessScene.Rule(["docker.io/**"], [], Rights.Pull, "10.0.0.0/8"),
                AccessScene.Rule(["docker.io/**"], [], Rights.None),
                AccessScene.Rule(["**"], ["*"], Rights.Pull),
            ],
        });

        Assert.Equal(403, await scene.StatusAsync("GET", $"/v2/{Scene.Repository}/manifests/{Scene.Tag}", user: null));
        Assert.Equal(401, await scene.StatusAsync("GET", Manifest, user: null));
        Assert.Equal(403, await scene.StatusAsync("POST", $"/v2/{AccessScene.Own}/blobs/uploads/", user: null));
    }

    [Fact]
    public async Task Where_there_are_users_and_no_rules_users_may_do_everything_but_are_named_for_nothing()
    {
        await using var scene = await AccessScene.StartAsync(users => new AccessOptions { Users = users });
        await scene.PushAsync(AccessScene.Own, AccessScene.Image, Tag);

        Assert.Equal(401, await scene.StatusAsync("POST", $"/v2/{AccessScene.Own}/blobs/uploads/", user: null));
        Assert.Equal(200, await scene.StatusAsync("GET", Manifest, user: null));
        Assert.Equal(202, await scene.StatusAsync("DELETE", Manifest, "eve"));
        Assert.Equal(404, await scene.StatusAsync("GET", $"/v2/{AccessScene.Secret}/manifests/{Scene.Tag}", "eve"));
    }

    [Fact]
    public async Task A_name_that_is_ours_and_an_upstreams_is_upstreams_to_who_may_not_pull_ours()
    {
        await using var scene = await AccessScene.StartAsync(users => new AccessOptions
        {
            Users = users,
            Rules = [AccessScene.Rule(["**"], ["root"], AccessScene.All), AccessScene.Rule(["*"], [], Rights.None)],
        });
        await scene.PushAsync("alpine", AccessScene.OthersImage, Scene.Tag);
        var path = $"/v2/alpine/manifests/{Scene.Tag}";

        Assert.Equal(AccessScene.OthersImage.Manifest.Content.ToArray(), (await scene.SendAsync("GET", path, "root")).Body);
        Assert.Equal(AccessScene.Image.Manifest.Content.ToArray(), (await scene.SendAsync("GET", path, user: null)).Body);
        Assert.Equal(404, await scene.StatusAsync("GET", $"/v2/alpine/blobs/{AccessScene.OthersImage.Layer.Digest}", "eve"));
    }

    [Fact]
    public async Task A_push_to_an_upstreams_name_is_unsupported_for_who_may_pull_there_and_refused_to_others()
    {
        await using var scene = await AccessScene.StartAsync(users => AccessScene.Rules(users) with { Anonymous = Rights.None });
        var path = $"/v2/{Scene.Repository}/blobs/uploads/";

        Assert.Equal(405, await scene.StatusAsync("POST", path, "root"));
        Assert.Equal(403, await scene.StatusAsync("POST", path, "eve"));
        Assert.Equal(401, await scene.StatusAsync("POST", path, user: null));
    }

    [Fact]
    public async Task Who_did_what_is_logged_and_no_password_is()
    {
        await using var scene = await PushedAsync();
        await scene.StatusAsync("DELETE", $"/v2/{AccessScene.Own}/manifests/{Tag}", "bob");
        await scene.StatusAsync("DELETE", $"/v2/{AccessScene.Own}/manifests/{Tag}", "alice");
        await scene.SendWithAsync("GET", "/v2/", [TestUsers.Header("mal\nlory", "hunter2")]);

        foreach (var line in (string[])[
            "root logged in from 127.0.0.1",
            $"root from 127.0.0.1 pushed {AccessScene.Own} {Tag}: {AccessScene.Image.Digest}",
            $"bob from 127.0.0.1 may not delete {AccessScene.Own}",
            $"alice from 127.0.0.1 deleted {AccessScene.Own} {Tag}",
            @"A login as mal\u000alory from 127.0.0.1 failed",
        ])
        {
            Assert.Contains(scene.Mirror.Log.Lines, logged => logged.Contains(line, StringComparison.Ordinal));
        }

        Assert.DoesNotContain(
            scene.Mirror.Log.Lines, line => line.Contains("hunter2", StringComparison.Ordinal) || line.Contains("-password", StringComparison.Ordinal));
    }

    private static async Task<AccessScene> PushedAsync()
    {
        var scene = await AccessScene.StartAsync();
        await scene.PushAsync(AccessScene.Own, AccessScene.Image, Tag);
        await scene.PushAsync(AccessScene.Others, AccessScene.OthersImage, Tag);
        return scene;
    }

    private static string? ErrorOf(RawResponse answer) =>
        JsonDocument.Parse(answer.Body).RootElement.GetProperty("errors")[0].GetProperty("code").GetString();
}
