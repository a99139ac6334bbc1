using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>What is public at a registry that has our credentials, while this registry refuses them, or everything, or can not be asked.</summary>
public sealed class ShareOutageTests : ShareScene
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Refused_credentials_and_something_that_does_not_exist_make_no_repository_private(bool isCached)
    {
        await StartAsync();
        if (isCached)
        {
            Assert.Equal(200, (await GetAsync(Public, $"manifests/{Scene.Tag}")).Status);
            Mirror.Time.Advance(TimeSpan.FromDays(1));
        }

        Upstream.RequireTokens("mirror", "changed", new TokenOptions { Private = [Private] });
        await GetAsync(Public, "manifests/never");

        // Without credentials that work a tag can not be asked about; that it is not shown at all would be another thing.
        var tag = await GetAsync(Public, $"manifests/{Scene.Tag}");
        Assert.Equal((isCached ? 200 : 403, isCached), (tag.Status, tag.Head.Headers.ContainsKey("Warning")));
        Assert.Equal(isCached ? 200 : 403, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
        Assert.Equal(404, (await GetAsync(Private, "manifests/never")).Status);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task What_was_public_is_served_and_an_alarm_raised_while_upstream_refuses_everybody_everything(int status)
    {
        await StartAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        Mirror.Time.Advance(TimeSpan.FromDays(1));
        Upstream.On(_ => true).Do(Behaviour.Status(status, "<html>blocked by the firewall</html>"));

        var tag = await GetAsync(Public, $"manifests/{Scene.Tag}");

        Assert.Equal((200, true), (tag.Status, tag.Head.Headers.ContainsKey("Warning")));
        Assert.Equal(200, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
        var alarm = Assert.Single(Mirror.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
        Assert.Contains("Are the credentials of docker.io still right", alarm, StringComparison.Ordinal);

        Upstream.Behave();
        Mirror.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.False((await GetAsync(Public, $"manifests/{Scene.Tag}")).Head.Headers.ContainsKey("Warning"));
    }

    [Fact]
    public async Task What_was_public_is_private_where_we_are_told_that_there_is_nothing_and_others_are_refused()
    {
        await StartAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        Mirror.Time.Advance(TimeSpan.FromDays(1));
        Upstream.RequireTokens("mirror", "secret", new TokenOptions { Private = [Public] });

        Assert.Equal(404, (await GetAsync(Public, "manifests/never")).Status);

        Assert.Equal(404, (await GetAsync(Public, $"manifests/{Shown.Digest}")).Status);
    }

    [Theory]
    [InlineData("manifests/3.20", 2)] // the tag is asked about too
    [InlineData("blobs", 1)]
    [InlineData("tags/list", 1)]
    public async Task Where_it_once_said_yes_a_failing_upstream_is_asked_once_who_may_read(string path, int requests)
    {
        await StartAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        await GetAsync(Public, $"blobs/{Shown.Layer.Digest}");
        await GetAsync(Public, "tags/list");
        await Mirror.PublishedAsync(Shown.Layer.Digest);
        Mirror.Time.Advance(TimeSpan.FromDays(1));
        Upstream.RequireNothing();
        Upstream.ClearRequests();
        Upstream.On(_ => true).Do(Behaviour.Status(500));

        var answer = await GetAsync(Public, path == "blobs" ? $"blobs/{Shown.Layer.Digest}" : path);

        Assert.Equal(200, answer.Status);
        // Who may read is asked with HEAD, or for a list of one tag.
        Assert.Equal(requests, Upstream.Requests.Count(
            request => request.Method == HttpMethod.Head || request.Target.EndsWith("?n=1", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_silent_upstream_has_two_seconds_for_all_that_a_client_asks()
    {
        await StartAsync();
        await GetAsync(Public, $"manifests/{Scene.Tag}");
        Mirror.Time.Advance(TimeSpan.FromDays(1));
        Upstream.On(_ => true).Do(Behaviour.Stall());

        var waiting = Mirror.Time.TimerArmed(TimeSpan.FromSeconds(2));
        var asking = GetAsync(Public, $"manifests/{Scene.Tag}");
        await waiting;
        Mirror.Time.Advance(TimeSpan.FromSeconds(2));
        var answer = await asking;

        Assert.Equal((200, true), (answer.Status, answer.Head.Headers.ContainsKey("Warning")));
    }
}
