using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>What a client sees of a tag, for each state that it can be in here and each answer that upstream can have.</summary>
public sealed class TagMatrixTests
{
    /// <summary>
    /// <c>seen</c>: the status, then whether it is the old or the new image, then whether it is marked as stale; the requests that upstream had for a
    /// client's GET and HEAD. Then the same where Mirror has credentials and a repository is shown only if everybody may read it, which was last
    /// asked more than a day ago where the tag is not fresh. None reaches an upstream that is down; one that is <c>broken</c> has failed so often that it is
    /// not asked.
    /// </summary>
    private const string Table = """
        tag       | upstream    | seen           | GET asks    | HEAD asks      | guarded: seen  | GET asks                   | HEAD asks
        fresh     | same        | 200 old        |             |                | 200 old        |                            |
        fresh     | moved       | 200 old        |             |                | 200 old        |                            |
        fresh     | 304         | 200 old        |             |                | 200 old        |                            |
        fresh     | 401         | 200 old        |             |                | 200 old        |                            |
        fresh     | 403         | 200 old        |             |                | 200 old        |                            |
        fresh     | 404         | 200 old        |             |                | 200 old        |                            |
        fresh     | 429         | 200 old        |             |                | 200 old        |                            |
        fresh     | 500         | 200 old        |             |                | 200 old        |                            |
        fresh     | 503         | 200 old        |             |                | 200 old        |                            |
        fresh     | silent      | 200 old        |             |                | 200 old        |                            |
        fresh     | refused     | 200 old        |             |                | 200 old        |                            |
        fresh     | unreachable | 200 old        |             |                | 200 old        |                            |
        fresh     | broken      | 200 old        |             |                | 200 old        |                            |
        stale     | same        | 200 old        | HEAD        | HEAD           | 200 old        | HEAD HEAD                  | HEAD HEAD
        stale     | moved       | 200 new        | HEAD GET    | HEAD           | 200 new        | HEAD HEAD GET              | HEAD HEAD
        stale     | 304         | 200 old        | HEAD        | HEAD           | 200 old        | HEAD HEAD                  | HEAD HEAD
        stale     | 401         | 200 old stale  | HEAD GET    | HEAD GET       | 200 old stale  | HEAD GET HEAD GET HEAD GET | HEAD GET HEAD GET HEAD GET
        stale     | 403         | 200 old stale  | HEAD GET    | HEAD GET       | 200 old stale  | HEAD GET HEAD GET HEAD GET | HEAD GET HEAD GET HEAD GET
        stale     | 404         | 404            | HEAD GET    | HEAD GET       | 404            | HEAD GET HEAD GET HEAD GET | HEAD GET HEAD GET HEAD GET
        stale     | 429         | 200 old stale  | HEAD        | HEAD           | 200 old stale  | HEAD HEAD                  | HEAD HEAD
        stale     | 500         | 200 old stale  | HEAD        | HEAD           | 200 old stale  | HEAD HEAD                  | HEAD HEAD
        stale     | 503         | 200 old stale  | HEAD        | HEAD           | 200 old stale  | HEAD HEAD                  | HEAD HEAD
        stale     | silent      | 200 old stale  | HEAD        | HEAD           | 200 old stale  | HEAD HEAD                  | HEAD HEAD
        stale     | refused     | 200 old stale  |             |                | 200 old stale  |                            |
        stale     | unreachable | 200 old stale  |             |                | 200 old stale  |                            |
        stale     | broken      | 200 old stale  |             |                | 200 old stale  |                            |
        immutable | same        | 200 old        |             |                | 200 old        | HEAD                       | HEAD
        immutable | moved       | 200 old        |             |                | 200 old        | HEAD                       | HEAD
        immutable | 304         | 200 old        |             |                | 200 old        | HEAD                       | HEAD
        immutable | 401         | 200 old        |             |                | 200 old        | HEAD GET HEAD GET          | HEAD GET HEAD GET
        immutable | 403         | 200 old        |             |                | 200 old        | HEAD GET HEAD GET          | HEAD GET HEAD GET
        immutable | 404         | 200 old        |             |                | 200 old        | HEAD GET HEAD GET          | HEAD GET HEAD GET
        immutable | 429         | 200 old        |             |                | 200 old        | HEAD                       | HEAD
        immutable | 500         | 200 old        |             |                | 200 old        | HEAD                       | HEAD
        immutable | 503         | 200 old        |             |                | 200 old        | HEAD                       | HEAD
        immutable | silent      | 200 old        |             |                | 200 old        | HEAD                       | HEAD
        immutable | refused     | 200 old        |             |                | 200 old        |                            |
        immutable | unreachable | 200 old        |             |                | 200 old        |                            |
        immutable | broken      | 200 old        |             |                | 200 old        |                            |
        never     | same        | 200 old        | GET         | HEAD           | 200 old        | HEAD GET                   | HEAD HEAD
        never     | moved       | 200 new        | GET         | HEAD           | 200 new        | HEAD GET                   | HEAD HEAD
        never     | 304         | 502            | GET         | HEAD           | 502            | HEAD                       | HEAD
        never     | 401         | 403            | GET         | HEAD GET       | 404            | HEAD GET                   | HEAD GET
        never     | 403         | 403            | GET         | HEAD GET       | 404            | HEAD GET                   | HEAD GET
        never     | 404         | 404            | GET         | HEAD GET       | 404            | HEAD GET HEAD GET          | HEAD GET HEAD GET
        never     | 429         | 429            | GET         | HEAD           | 429            | HEAD                       | HEAD
        never     | 500         | 502            | GET GET GET | HEAD HEAD HEAD | 502            | HEAD HEAD HEAD             | HEAD HEAD HEAD
        never     | 503         | 502            | GET GET GET | HEAD HEAD HEAD | 502            | HEAD HEAD HEAD             | HEAD HEAD HEAD
        never     | silent      | 504            | GET         | HEAD           | 504            | HEAD                       | HEAD
        never     | refused     | 502            |             |                | 502            |                            |
        never     | unreachable | 504            |             |                | 504            |                            |
        never     | broken      | 502            |             |                | 502            |                            |
        """;

    private static readonly TestImage Old = TestImage.Create(layers: 1, layerSize: 100, seed: 31);
    private static readonly TestImage New = TestImage.Create(layers: 1, layerSize: 100, seed: 32);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static TheoryData<string, string, string, bool, string, string> Rows
    {
        get
        {
            var rows = new TheoryData<string, string, string, bool, string, string>();
            foreach (var row in Table.Split('\n')[1..])
            {
                var cells = row.Split('|', StringSplitOptions.TrimEntries);
                rows.Add(cells[0], cells[1], "GET", false, cells[2], cells[3]);
                rows.Add(cells[0], cells[1], "HEAD", false, cells[2], cells[4]);
                rows.Add(cells[0], cells[1], "GET", true, cells[5], cells[6]);
                rows.Add(cells[0], cells[1], "HEAD", true, cells[5], cells[7]);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_tag_in_each_state_meets_each_answer_of_upstream(
        string tag, string upstream, string method, bool guarded, string seen, string asked)
    {
        await using var registry = await FakeRegistry.StartAsync();
        registry.Add(Scene.Repository, Old, Scene.Tag);
        var options = MirrorHost.Registry("docker.io", registry) with
        {
            Default = true,
            ImmutableTags = [TagPattern.Parse(tag == "immutable" ? "3.*" : "v*")],
        };
        await using var mirror = await MirrorHost.StartAsync(
            [guarded ? options with { Username = "mirror", Password = new Secret("secret") } : options]);
        if (tag != "never")
        {
            Assert.Equal(200, (await AskAsync(mirror, "GET")).Status);
            mirror.Time.Advance(tag == "fresh" ? TimeSpan.Zero : guarded ? TimeSpan.FromDays(1) : options.TagFreshness);
        }

        await AnswerAsync(registry, upstream, mirror);
        registry.ClearRequests();

        // How soon: the mirror's clock stands still, so that whoever is answered without this has not waited for anybody.
        var limit = tag == "never" ? new Oci.Remote.RemoteRegistryOptions { Name = "", Url = registry.Url }.HeaderTimeout : Patience;
        var waits = (upstream, tag, guarded) is ("silent" or "unreachable", "stale" or "never", _) or ("silent" or "unreachable", "immutable", true);
        var waiting = waits ? mirror.Time.TimerArmed(limit) : null;
        var asking = AskAsync(mirror, method);
        if (waiting is not null)
        {
            await waiting;
            if (upstream == "silent")
            {
                await registry.Received(_ => true);
            }

            mirror.Time.Advance(limit);
        }

        var answer = await asking;
        var image = answer.Status != 200 ? ""
            : answer.Head.Headers["Docker-Content-Digest"] == Old.Digest.ToString() ? " old" : " new";
        var stale = answer.Head.Headers.ContainsKey("Warning") ? " stale" : "";
        if (asked.Length > 0)
        {
            // The client may have been answered before the last of them arrives.
            await registry.Received(_ => true, asked.Split(' ').Length);
        }

        Assert.Equal((seen, asked), ($"{answer.Status}{image}{stale}", string.Join(' ', registry.Requests.Select(request => request.Method))));
    }

    private static Task<RawResponse> AskAsync(MirrorHost mirror, string method, string path = "library/alpine/manifests/3.20") =>
        RawHttp.SendAsync(mirror.Url, RawHttp.Request(mirror.Url, method, $"/v2/{path}"));

    private static async Task AnswerAsync(FakeRegistry registry, string upstream, MirrorHost mirror)
    {
        switch (upstream)
        {
            case "same":
                registry.On(HttpMethod.Head).Do(Behaviour.Status(
                    200,
                    System.Text.Encoding.UTF8.GetString(Old.Manifest.Content.Span),
                    ("Content-Type", MediaTypes.OciManifest),
                    ("Docker-Content-Digest", Old.Digest.ToString())));
                break;

            case "moved":
                registry.Add(Scene.Repository, New, Scene.Tag);
                break;

            case "404":
                registry.Untag(Scene.Repository, Scene.Tag);
                break;

            case "silent":
                registry.On(_ => true).Do(Behaviour.Stall());
                break;

            case "refused":
                await registry.StopAsync();
                break;

            case "unreachable":
                await registry.BlackHoleAsync();
                break;

            case "broken":
                registry.On(_ => true).Do(Behaviour.Status(500));
                for (var i = 0; i < 4; i++)
                {
                    Assert.Equal(502, (await AskAsync(mirror, "GET", $"library/alpine/manifests/other-{i}")).Status);
                    Assert.Equal(502, (await AskAsync(mirror, "GET", $"library/other-{i}/manifests/latest")).Status);
                }

                break;

            default:
                registry.On(_ => true).Do(Behaviour.Status(int.Parse(upstream)));
                break;
        }
    }
}
