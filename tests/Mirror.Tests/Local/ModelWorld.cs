using System.Text;
using System.Text.Json;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>A registry and its model, side by side: two repositories, and little content for them, so that requests meet each other.</summary>
internal sealed class ModelWorld(OwnRegistry registry, string prefix)
{
    private static readonly TestBlob Config = TestBlob.Of("{}"u8.ToArray());
    private static readonly TestBlob Layer = TestBlob.Create(size: 700, seed: 1);

    public static IReadOnlyList<TestBlob> Blobs { get; } =
        [Config, Layer, TestBlob.Of(ReadOnlyMemory<byte>.Empty), TestBlob.Of(ManifestOf(layers: [Layer], note: "one"))];

    /// <summary>Two images, two that refer to the first, and an index. The first one is a blob, too.</summary>
    public static IReadOnlyList<TestBlob> Manifests { get; } = MakeManifests();

    public static IReadOnlyList<string> Tags { get; } = ["a", "b", "B"];

    public static int Repositories => 2;

    public OwnRegistry Registry => registry;

    public ModelRegistry Model { get; } = new();

    public string Name(int repository) => $"{prefix}/{"xy"[repository]}";

    /// <returns>Null, or how the answer is another one.</returns>
    public static string? Compare(PushAnswer answer, int status, string? error = null, ReadOnlyMemory<byte>? body = null) =>
        answer.Status != status || answer.Error != error ? $"{answer.Status} {answer.Error} instead of {status} {error}"
        : body is { } expected && !expected.Span.SequenceEqual(answer.Body) ? $"{answer.Body.Length} bytes that are not those {expected.Length}"
        : null;

    /// <summary>One client may have only so many in progress, and the next world has the same one.</summary>
    public async Task CancelUploadsAsync()
    {
        foreach (var upload in Model.Uploads.Where(upload => !upload.IsOver))
        {
            await registry.SendAsync("DELETE", upload.Location);
        }
    }

    /// <summary>Reads everything that there could be, and compares it.</summary>
    public async Task<string?> FindDifferenceAsync()
    {
        for (var repository = 0; repository < Repositories; repository++)
        {
            if (await FindDifferenceAsync(Name(repository), Model[Name(repository)]) is { } difference)
            {
                return $"{Name(repository)}: {difference}";
            }
        }

        foreach (var upload in Model.Uploads)
        {
            var status = await registry.SendAsync("GET", upload.Location);
            if (status.Status != (upload.IsOver ? 404 : 204) || (!upload.IsOver && status.Header("Range") != upload.Range))
            {
                return $"{upload.Location}: {status.Status} {status.Header("Range")} instead of {upload.Range}, over: {upload.IsOver}";
            }
        }

        return null;
    }

    private async Task<string?> FindDifferenceAsync(string name, ModelRepository model)
    {
        foreach (var blob in Blobs.Concat(Manifests).DistinctBy(blob => blob.Digest))
        {
            var isThere = model.Contents.ContainsKey(blob.Digest);
            if (await DiffersAsync($"/v2/{name}/blobs/{blob.Digest}", isThere ? blob : null, "BLOB_UNKNOWN") is { } difference)
            {
                return difference;
            }
        }

        foreach (var reference in Tags.Concat(Manifests.Concat(Blobs).Select(content => $"{content.Digest}")).Distinct())
        {
            var found = model.FindManifest(reference);
            if (await DiffersAsync($"/v2/{name}/manifests/{reference}", found, "MANIFEST_UNKNOWN") is { } difference)
            {
                return difference;
            }
        }

        return await ListingsDifferAsync(name, model);
    }

    private async Task<string?> ListingsDifferAsync(string name, ModelRepository model)
    {
        var tags = await registry.SendAsync("GET", $"/v2/{name}/tags/list");
        var expected = model.Contents.Count == 0 ? "404 " : $"200 {string.Join(' ', model.Tags.Keys.Order(StringComparer.Ordinal))}";
        var listed = $"{tags.Status} {(tags.Status == 200 ? string.Join(' ', Strings(tags, "tags")) : "")}";
        if (listed != expected)
        {
            return $"tags are '{listed}' instead of '{expected}'";
        }

        foreach (var subject in Manifests)
        {
            var referrers = await registry.SendAsync("GET", $"/v2/{name}/referrers/{subject.Digest}");
            using var json = JsonDocument.Parse(referrers.Body);
            var found = json.RootElement.GetProperty("manifests").EnumerateArray().Select(item => item.GetProperty("digest").GetString()!).ToList();
            if (!found.SequenceEqual(model.Referrers(subject.Digest)))
            {
                return $"referrers of {subject.Digest} are {string.Join(' ', found)}";
            }
        }

        return null;
    }

    private async Task<string?> DiffersAsync(string path, TestBlob? expected, string unknown)
    {
        var get = await registry.SendAsync("GET", path);
        var head = await registry.SendAsync("HEAD", path);
        var status = expected is null ? 404 : 200;
        if (Compare(get, status, expected is null ? unknown : null, expected?.Content) is { } difference)
        {
            return $"GET {path}: {difference}";
        }

        return head.Status != status ? $"HEAD {path}: {head.Status} instead of {status}"
            : expected is not null && head.Header("Content-Length") != $"{expected.Size}" ? $"HEAD {path}: {head.Header("Content-Length")} bytes"
            : null;
    }

    private static IEnumerable<string?> Strings(PushAnswer answer, string property) =>
        JsonDocument.Parse(answer.Body).RootElement.GetProperty(property).EnumerateArray().Select(item => item.GetString());

    private static List<TestBlob> MakeManifests()
    {
        var first = TestBlob.Of(ManifestOf([Layer], "one"), MediaTypes.OciManifest);
        var second = TestBlob.Of(ManifestOf([], "two"), MediaTypes.OciManifest);
        var index = Encoding.UTF8.GetBytes(
            $$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[{{Json(first)}},{{Json(second)}}],"subject":{{Json(first)}}}""");
        return
        [
            first,
            second,
            TestBlob.Of(ManifestOf([], "signature", first), MediaTypes.OciManifest),
            TestBlob.Of(ManifestOf([Layer], "sbom", first), MediaTypes.OciManifest),
            TestBlob.Of(index, MediaTypes.OciIndex),
        ];
    }

    private static byte[] ManifestOf(IReadOnlyList<TestBlob> layers, string note, TestBlob? subject = null) => Encoding.UTF8.GetBytes(
        $$"""
        {"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}","config":{{Json(Config)}},"layers":[{{string.Join(',', layers.Select(Json))}}],
        "annotations":{"note":"{{note}}"}{{(subject is null ? "" : $",\"subject\":{Json(subject)}")}}}
        """);

    private static string Json(TestBlob blob) => $$"""{"mediaType":"{{blob.MediaType}}","digest":"{{blob.Digest}}","size":{{blob.Size}}}""";
}
