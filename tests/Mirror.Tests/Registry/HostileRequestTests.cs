using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Registry;

/// <summary>Whatever a request says, it is answered properly and touches nothing but the data directory.</summary>
public sealed class HostileRequestTests
{
    private static readonly string[] Pieces =
    [
        "v1", "search", "_ping", "v2", "blobs", "manifests", "tags", "list", "_catalog", "referrers", "uploads", "library", "alpine", "docker.io",
        "..", ".", "", "%2e%2e", "%2F", "%5c", "%00", "%0a", "%ff", "..%2f..%2fetc%2fpasswd", "~", "a:b", "A", "é", "3.20", "latest",
        "sha256:", "sha512:", "sha256%3A",
        $"sha256:{new string('a', 64)}", $"sha256:{new string('A', 64)}", $"sha256:..%2f{new string('a', 61)}", $"sha512:{new string('0', 128)}",
        "md5:d41d8cd98f00b204e9800998ecf8427e", new string('x', 300), "mirror.db", "refs.log", "staged",
    ];

    private static readonly string[] Ranges =
    [
        "bytes=0-0", "bytes=-5", "bytes=5-", "bytes=500-0", "bytes=0-1,3-4", "bytes=", "bytes=-", "bytes=a-b", "bytes=99999999999999999999-",
        "bytes=-99999999999999999999", "bytes=0-99999999999999999999", "lines=1-2", "bytes=1", "bytes = 0 - 1", "bytes=-0", "\t", "bytes=0-\u0661",
    ];

    private static readonly string[] Accepts = ["*/*", "", "text/html", "application/vnd.oci.image.manifest.v1+json", ";;;", "a/b;q=x", new string('a', 5000)];

    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

    [Fact]
    public async Task No_path_range_or_header_gives_a_500_or_a_file_outside_the_data_directory()
    {
        await using var scene = await Scene.StartAsync(layerSize: 1000);
        await scene.PullAsync();
        var folder = Directory.GetParent(scene.Mirror.DataPath)!.FullName;
        var before = FilesOutside(scene, folder);

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(400), Prop.ForAll(Requests(scene).ToArbitrary(), request =>
        {
            var answer = RawHttp.SendAsync(scene.Mirror.Url, request).GetAwaiter().GetResult();
            return (answer.Status is >= 200 and < 500 or 502).Label($"{answer.Status} for\n{request}");
        }));

        Assert.Equal(before, FilesOutside(scene, folder));
        Assert.DoesNotContain(scene.Mirror.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
        Assert.All(scene.Mirror.Published(), digest => Assert.Equal(digest, DigestOfFile(scene, digest)));
        await scene.PullAsync();
    }

    [Fact]
    public void Any_text_is_read_as_a_name_tag_digest_or_not_without_a_surprise() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(5000),
        Prop.ForAll<string?>(text =>
        {
            var isName = RepositoryName.TryParse(text, out var name);
            var isReference = Reference.TryParse(text, out var reference);
            var isDigest = Digest.TryParse(text, out var digest);
            return (!isName || name.ToString() == text) && (!isReference || reference.ToString() == text) && (!isDigest || digest.ToString() == text);
        }));

    private static Gen<string> Requests(Scene scene)
    {
        string[] pieces = [.. Pieces, scene.Layer.Digest.ToString(), scene.Image.Digest.ToString()];
        var free = Gen.Elements(pieces).ArrayOf().Select(parts => "/" + string.Join('/', parts));
        var known = from name in Gen.Elements("library/alpine", "alpine", "docker.io/library/alpine", "..", "library/alpine/..")
                    from kind in Gen.Elements("blobs", "manifests", "tags")
                    from last in Gen.Elements(pieces)
                    select $"/v2/{name}/{kind}/{last}";
        return from path in Gen.OneOf(free, known, known)
               from query in Gen.Elements("", "?n=1", "?n=-1", "?n=x", "?last=%00", "?ns=docker.io", "?n=0", "?last=..%2f")
               from method in Gen.Elements(Methods)
               from range in Gen.Elements(Ranges)
               from accept in Gen.Elements(Accepts)
               select RawHttp.Request(scene.Mirror.Url, method, Latin(path + query), $"Range: {Latin(range)}", $"Accept: {accept}");
    }

    /// <summary>What is not ASCII goes on the wire as UTF-8 bytes, which the raw client sends one to one.</summary>
    private static string Latin(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    private static string[] FilesOutside(Scene scene, string folder) =>
    [
        .. Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
            .Where(file => !file.StartsWith(scene.Mirror.DataPath + "/", StringComparison.Ordinal)).Order(),
    ];

    private static Digest DigestOfFile(Scene scene, Digest digest) => Digest.Of(
        digest.Algorithm, File.ReadAllBytes(Path.Combine(scene.Mirror.DataPath, "blobs", digest.Algorithm.ToString().ToLowerInvariant(), digest.Hex[..2], digest.Hex)));
}
