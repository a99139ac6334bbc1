using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Caching;

/// <summary>What a client sees of a tag, for each state that it can be in here and each answer that upstream can have.</summary>
public sealed class TagMatrixTests
{
    /// <summary>
    /// <c>seen</c>: the status, then whether it is the old or the new image, then whether it is marked as stale; <c>asked</c>: the requests that upstream
    /// had, of which none reaches one that is down.
    /// </summary>
    private const string Table = """
        tag       | upstream    | seen           | asked
        fresh     | same        | 200 old        |
        fresh     | moved       | 200 old        |
        fresh     | 304         | 200 old        |
        fresh     | 401         | 200 old        |
        fresh     | 403         | 200 old        |
        fresh     | 404         | 200 old        |
        fresh     | 429         | 200 old        |
        fresh     | 500         | 200 old        |
        fresh     | 503         | 200 old        |
        fresh     | silent      | 200 old        |
        fresh     | refused     | 200 old        |
        stale     | same        | 200 old        | HEAD
        stale     | moved       | 200 new        | HEAD GET
        stale     | 304         | 200 old        | HEAD
        stale     | 401         | 200 old stale  | HEAD GET
        stale     | 403         | 200 old stale  | HEAD GET
        stale     | 404         | 404            | HEAD GET
        stale     | 429         | 200 old stale  | HEAD
        stale     | 500         | 200 old stale  | HEAD
        stale     | 503         | 200 old stale  | HEAD
        stale     | silent      | 200 old stale  | HEAD
        stale     | refused     | 200 old stale  |
        immutable | same        | 200 old        |
        immutable | moved       | 200 old        |
        immutable | 304         | 200 old        |
        immutable | 401         | 200 old        |
        immutable | 403         | 200 old        |
        immutable | 404         | 200 old        |
        immutable | 429         | 200 old        |
        immutable | 500         | 200 old        |
        immutable | 503         | 200 old        |
        immutable | silent      | 200 old        |
        immutable | refused     | 200 old        |
        never     | same        | 200 old        | GET
        never     | moved       | 200 new        | GET
        never     | 304         | 502            | GET
        never     | 401         | 403            | GET
        never     | 403         | 403            | GET
        never     | 404         | 404            | GET
        never     | 429         | 429            | GET
        never     | 500         | 502            | GET GET GET
        never     | 503         | 502            | GET GET GET
        never     | silent      | 504            | GET
        never     | refused     | 502            |
        """;

    private static readonly TestImage Old = TestImage.Create(layers: 1, layerSize: 100, seed: 31);
    private static readonly TestImage New = TestImage.Create(layers: 1, layerSize: 100, seed: 32);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static TheoryData<string, string, string, string> Rows
    {
        get
        {
            var rows = new TheoryData<string, string, string, string>();
            foreach (var row in Table.Split('\n')[1..])
            {
                var cells = row.Split('|', StringSplitOptions.TrimEntries);
                rows.Add(cells[0], cells[1], cells[2], cells[3]);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_tag_in_each_state_meets_each_answer_of_upstream(string tag, string upstream, string seen, string asked)
    {
        await using var registry = await FakeRegistry.StartAsync();
        registry.Add(Scene.Repository, Old, Scene.Tag);
        RegistryOptions[] registries = [MirrorHost.Registry("docker.io", registry) with { Default = true, ImmutableTags = [TagPattern.Parse(tag == "immutable" ? "3.*" : "v*")] }];
        await using var mirror = await MirrorHost.StartAsync(registries);
        if (tag != "never")
        {
            Assert.Equal(200, (await AskAsync(mirror)).Status);
            mirror.Time.Advance(tag == "fresh" ? TimeSpan.Zero : registries[0].TagFreshness);
        }

        registry.ClearRequests();
        await AnswerAsync(registry, upstream);

        // How soon: the mirror's clock stands still, so that whoever is answered without this has not waited for anybody.
        var limit = tag == "never" ? new Oci.Remote.RemoteRegistryOptions { Name = "", Url = registry.Url }.HeaderTimeout : Patience;
        var waiting = upstream == "silent" && asked.Length > 0 ? mirror.Time.TimerArmed(limit) : null;
        var asking = AskAsync(mirror);
        if (waiting is not null)
        {
            await waiting;
            await registry.Received(_ => true);
            mirror.Time.Advance(limit);
        }

        var answer = await asking;
        var image = answer.Status != 200 ? "" : answer.Body.AsSpan().SequenceEqual(Old.Manifest.Content.Span) ? " old" : " new";
        var stale = answer.Head.Headers.ContainsKey("Warning") ? " stale" : "";
        Assert.Equal((seen, asked), ($"{answer.Status}{image}{stale}", string.Join(' ', registry.Requests.Select(request => request.Method))));
    }

    private static Task<RawResponse> AskAsync(MirrorHost mirror) => RawHttp.GetAsync(mirror.Url, Scene.ManifestPath(Scene.Tag));

    private static async Task AnswerAsync(FakeRegistry registry, string upstream)
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

            default:
                registry.On(_ => true).Do(Behaviour.Status(int.Parse(upstream)));
                break;
        }
    }
}
