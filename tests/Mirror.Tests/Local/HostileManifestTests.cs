using System.Text;
using System.Text.Json;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>A manifest may say whatever it likes: it is taken as it is, or refused, and never more than looked at.</summary>
public sealed class HostileManifestTests(HostileManifestTests.OneRegistry registry) : IClassFixture<HostileManifestTests.OneRegistry>
{
    private const string Repository = "team/app";

    private static readonly TestBlob Config = TestBlob.Of("{}"u8.ToArray());
    private static readonly string Ours = $"\"mediaType\":\"application/json\",\"digest\":\"{Config.Digest}\"";
    private static readonly string Missing = Digest.Sha256("missing"u8).ToString();

    /// <summary>What is put into a manifest that is right otherwise.</summary>
    public static TheoryData<string> Invalid =>
    [
        // Sizes that lie.
        Image($"{{{Ours},\"size\":-1}}"),
        Image($"{{{Ours},\"size\":2.0}}"),
        Image($"{{{Ours},\"size\":2e0}}"),
        Image($"{{{Ours},\"size\":1e400}}"),
        Image($"{{{Ours},\"size\":9223372036854775808}}"),
        Image($"{{{Ours},\"size\":99999999999999999999999999999999}}"),
        Image($"{{{Ours},\"size\":\"2\"}}"),
        Image($"{{{Ours},\"size\":null}}"),
        Image($"{{{Ours},\"size\":[2]}}"),
        Image($"{{{Ours}}}"),
        // Digests that are none.
        Image("{\"mediaType\":\"a/b\",\"digest\":\"../../etc/passwd\",\"size\":2}"),
        Image($"{{\"mediaType\":\"a/b\",\"digest\":\"sha256:{new string('a', 63)}\",\"size\":2}}"),
        Image($"{{\"mediaType\":\"a/b\",\"digest\":\"sha256:{new string('A', 64)}\",\"size\":2}}"),
        Image($"{{\"mediaType\":\"a/b\",\"digest\":\"md5:{new string('a', 32)}\",\"size\":2}}"),
        Image("{\"mediaType\":\"a/b\",\"digest\":7,\"size\":2}"),
        // Keys that are there twice.
        Image($"{{{Ours},\"size\":2,\"size\":2}}"),
        Image(Right, ",\"config\":{}"),
        Image(Right, ",\"layers\":[],\"annotations\":{}"),
        Image(Right, ",\"annotations\":{\"a\":\"1\",\"\\u0061\":\"2\"}"),
        // Other kinds of values than there have to be.
        Image("null"),
        Image("[]"),
        Image("\"config\""),
        Image("{}"),
        Image(Right, ",\"subject\":\"sha256\""),
        Image(Right, ",\"subject\":{}"),
        Image(Right, ",\"subject\":[]"),
        $"{{\"schemaVersion\":2,\"config\":{Right},\"layers\":{{}}}}",
        $"{{\"schemaVersion\":2,\"config\":{Right},\"layers\":[[]]}}",
        $"{{\"schemaVersion\":2,\"config\":{Right},\"layers\":[null]}}",
        $"{{\"schemaVersion\":2,\"config\":{Right}}}",
        $"{{\"schemaVersion\":\"2\",\"config\":{Right},\"layers\":[]}}",
        $"{{\"schemaVersion\":2.5,\"config\":{Right},\"layers\":[]}}",
        $"{{\"schemaVersion\":2,\"mediaType\":\"text/html\",\"config\":{Right},\"layers\":[]}}",
        // Text that is none.
        Image(Right, ",\"annotations\":{\"a\":\"\\ud800\"}"),
        Image(Right, ",\"annotations\":{\"\\udfff\":\"a\"}"),
        Image(Right, ",\"more\":\"\u00ff\u00fe\""),
        Image(Right, ",\"more\":\"\u00c0\u00ae\""),
        Image(Right, ",\"\u00ff\":1"),
        // JSON that is none.
        Image(Right, ",\"more\":NaN"),
        Image(Right, ",\"more\":01"),
        Image(Right, ","),
        Image(Right) + "{}",
        Image(Right)[..^1],
        "// manifest\n" + Image(Right),
        "\u00ef\u00bb\u00bf" + Image(Right),
        "\0" + Image(Right),
        "\"manifest\"",
        "2",
        "null",
    ];

    [Theory]
    [MemberData(nameof(Invalid))]
    public async Task What_is_no_manifest_is_refused(string manifest)
    {
        // Each character is a byte, so that there can be bytes that are no UTF-8.
        var answer = await PutAsync(Encoding.Latin1.GetBytes(manifest), "bad");

        Assert.Equal((400, "MANIFEST_INVALID"), (answer.Status, answer.Error));
        Assert.Equal(404, (await registry.Started.SendAsync("GET", $"/v2/{Repository}/manifests/bad")).Status);
    }

    [Theory]
    [InlineData('[', ']')]
    [InlineData('{', '}')]
    public async Task What_is_deep_is_refused(char open, char close)
    {
        var (inner, outer) = open == '[' ? ("[", "]") : ("{\"a\":", "}");
        Assert.Equal(close, outer[0]);
        var deep = string.Concat(Enumerable.Repeat(inner, 10_000)) + "1" + string.Concat(Enumerable.Repeat(outer, 10_000));

        foreach (var manifest in new[] { Image(Right, $",\"more\":{deep}"), Image(deep), deep })
        {
            var answer = await PutAsync(Encoding.UTF8.GetBytes(manifest), "deep");
            Assert.Equal((400, "MANIFEST_INVALID"), (answer.Status, answer.Error));
        }
    }

    [Fact]
    public async Task What_is_UTF_16_is_refused() =>
        Assert.Equal("MANIFEST_INVALID", (await PutAsync(Encoding.Unicode.GetBytes(Image(Right)), "utf-16")).Error);

    [Theory]
    [InlineData(100_000, 413, "MANIFEST_INVALID")]
    [InlineData(30_000, 201, null)]
    public async Task Layers_may_be_as_many_as_there_is_room_for(int layers, int status, string? code)
    {
        var manifest = Image(Right).Replace("\"layers\":[]", $"\"layers\":[{string.Join(',', Enumerable.Repeat(Right, layers))}]");

        var answer = await PutAsync(Encoding.UTF8.GetBytes(manifest), "many");

        Assert.Equal((status, code), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task A_size_that_is_as_large_as_can_be_is_the_wrong_one()
    {
        var answer = await PutAsync(Encoding.UTF8.GetBytes(Image($"{{{Ours},\"size\":9223372036854775807}}")), "large");

        Assert.Equal((400, "SIZE_INVALID"), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task What_refers_in_circles_is_only_looked_at()
    {
        // The config as the subject, as a layer, and as a child; and an index of an index whose subject is the child that refers to it.
        var self = Encoding.UTF8.GetBytes(Image(Right, $",\"subject\":{Right}").Replace("\"layers\":[]", $"\"layers\":[{Right},{Right}]"));
        Assert.Equal(201, (await PutAsync(self, "self")).Status);
        var child = Descriptor(self, MediaTypes.OciManifest);
        var index = Encoding.UTF8.GetBytes(
            $"{{\"schemaVersion\":2,\"mediaType\":\"{MediaTypes.OciIndex}\",\"manifests\":[{child},{child}],\"subject\":{child}}}");
        Assert.Equal(201, (await PutAsync(index, "index", MediaTypes.OciIndex)).Status);
        var inner = Descriptor(index, MediaTypes.OciIndex);
        var outer = Encoding.UTF8.GetBytes(
            $"{{\"schemaVersion\":2,\"mediaType\":\"{MediaTypes.OciIndex}\",\"manifests\":[{inner}],\"subject\":{inner}}}");
        Assert.Equal(201, (await PutAsync(outer, "outer", MediaTypes.OciIndex)).Status);

        var referrers = await registry.Started.SendAsync("GET", $"/v2/{Repository}/referrers/{Digest.Sha256(index)}");

        Assert.Contains(Digest.Sha256(outer).ToString(), Encoding.UTF8.GetString(referrers.Body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Annotations_of_referrers_may_be_large_and_a_page_of_them_is_not()
    {
        const int Count = 12;
        var subject = $"{{\"mediaType\":\"{MediaTypes.OciManifest}\",\"digest\":\"{Missing}\",\"size\":5}}";
        for (var number = 0; number < Count; number++)
        {
            var manifest = Image(Right, $",\"subject\":{subject},\"annotations\":{{\"{number}\":\"{new string('x', 1_000_000)}\"}}");
            Assert.Equal(201, (await PutAsync(Encoding.UTF8.GetBytes(manifest), $"large-{number}")).Status);
        }

        var found = new List<string?>();
        var next = $"/v2/{Repository}/referrers/{Missing}";
        while (next is not null)
        {
            var page = await registry.Started.SendAsync("GET", next);
            Assert.Equal(200, page.Status);
            Assert.True(page.Body.Length <= Manifest.MaxSize, $"a page has {page.Body.Length} bytes");
            using var json = JsonDocument.Parse(page.Body);
            found.AddRange(json.RootElement.GetProperty("manifests").EnumerateArray().Select(item => item.GetProperty("digest").GetString()));
            next = page.Header("Link") is { } link ? link[1..link.IndexOf('>', StringComparison.Ordinal)] : null;
        }

        Assert.Equal(Count, found.Distinct().Count());
        Assert.Equal(Count, found.Count);
    }

    [Theory]
    [InlineData(";;;")]
    [InlineData("a")]
    [InlineData("application/vnd.oci.image.manifest.v1+json;")]
    [InlineData("application/vnd.oci.image.manifest.v1+json; charset=utf-8; charset=utf-16")]
    [InlineData("APPLICATION/JSON")]
    [InlineData("text/html, application/json")]
    [InlineData("\"quoted\"")]
    [InlineData("../../etc/passwd")]
    public async Task Any_Content_Type_is_taken_or_refused_and_the_manifests_own_is_served(string contentType)
    {
        var manifest = Encoding.UTF8.GetBytes(Image(Right).Replace("{\"schema", $"{{\"mediaType\":\"{MediaTypes.OciManifest}\",\"schema", StringComparison.Ordinal));
        var answer = await PutAsync(manifest, "typed", contentType);
        Assert.True((answer.Status, answer.Error) is (201, null) or (400, "MANIFEST_INVALID"), $"{answer.Status} {answer.Error}");

        if (answer.Status == 201)
        {
            Assert.Equal(MediaTypes.OciManifest, (await registry.Started.SendAsync("GET", $"/v2/{Repository}/manifests/typed")).Header("Content-Type"));
        }
    }

    /// <summary>One for all: what each sees is its own.</summary>
    public sealed class OneRegistry : IAsyncLifetime
    {
        private OwnRegistry? _started;

        internal OwnRegistry Started => _started!;

        public async Task InitializeAsync()
        {
            _started = await OwnRegistry.StartAsync();
            await Started.PushBlobAsync(Repository, Config);
        }

        public async Task DisposeAsync()
        {
            Assert.DoesNotContain(Started.Mirror.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
            Assert.Empty(Started.Mirror.StrayFiles());
            await Started.DisposeAsync();
        }
    }

    private static string Right => $"{{{Ours},\"size\":{Config.Size}}}";

    private static string Image(string config, string more = "") => $"{{\"schemaVersion\":2,\"config\":{config},\"layers\":[]{more}}}";

    private static string Descriptor(byte[] manifest, string mediaType) =>
        $"{{\"mediaType\":\"{mediaType}\",\"digest\":\"{Digest.Sha256(manifest)}\",\"size\":{manifest.Length}}}";

    private Task<PushAnswer> PutAsync(byte[] manifest, string tag, string contentType = MediaTypes.OciManifest) =>
        registry.Started.SendAsync("PUT", $"/v2/{Repository}/manifests/{tag}", manifest, ("Content-Type", contentType));
}
