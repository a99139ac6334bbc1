using System.Text;
using System.Text.RegularExpressions;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>
/// Two repositories that a rule has for itself, and what the braces of its lines stand for. <c>{name}</c> is a repository that has the
/// image <c>{image}</c> under <c>1.0</c>, <c>latest</c> and <c>zoo</c>, made of <c>{config}</c> and <c>{layer}</c>, and two images that
/// refer to it, <c>{sbom}</c> and <c>{signature}</c>; <c>{other}</c> is one that has nothing but the blob <c>{theirs}</c>. <c>{blob}</c>,
/// of 5000 bytes, was not pushed; <c>{begun}</c> is an upload of which nothing was received, and <c>{upload}</c> one that has its first
/// 2000 bytes. A content's name stands for its digest, and as a body for its bytes; <c>{blob:0-1999}</c> for some of them,
/// <c>{blob:sha512}</c> for its other digest, and <c>{blob:size}</c> for its size.
/// </summary>
internal sealed partial class ConformanceScene
{
    private static readonly TestBlob Empty = TestBlob.Of(ReadOnlyMemory<byte>.Empty);
    private static readonly TestBlob Blob = TestBlob.Of(Enumerable.Range(0, 5000).Select(i => (byte)(i * 7)).ToArray());
    private static readonly TestBlob Theirs = TestBlob.Create(size: 300, seed: 77);
    private static readonly TestImage Image = TestImage.Create(layers: 1, layerSize: 1000, seed: 30);
    private static readonly TestImage Sbom = Referring(seed: 31, "application/x.sbom");
    private static readonly TestImage Signature = Referring(seed: 32, "application/x.signature");
    private static readonly Dictionary<string, TestBlob> Manifests = ConformanceManifests.All(Image);

    private readonly Dictionary<string, TestBlob> _contents = new()
    {
        ["empty"] = Empty,
        ["blob"] = Blob,
        ["theirs"] = Theirs,
        ["image"] = Image.Manifest,
        ["config"] = Image.Config,
        ["layer"] = Image.Layer,
        ["sbom"] = Sbom.Manifest,
        ["signature"] = Signature.Manifest,
        ["unknown"] = TestBlob.Of("what nobody pushed"u8.ToArray()),
    };

    private readonly Dictionary<string, string> _texts;

    private ConformanceScene(string name)
    {
        _texts = new()
        {
            ["name"] = $"{name}/app",
            ["other"] = $"{name}/other",
            ["nothing"] = $"{name}/nothing",
            ["noUpload"] = new string('0', 32),
            ["longTag"] = new string('t', 129),
            ["longName"] = string.Join('/', Enumerable.Repeat(new string('n', 63), 4)),
        };
        foreach (var (key, manifest) in Manifests)
        {
            _contents.Add(key, manifest);
        }
    }

    public static async Task<ConformanceScene> PrepareAsync(OwnRegistry registry, Rule rule)
    {
        var scene = new ConformanceScene($"rule-{ConformanceRules.All.IndexOf(rule)}");
        var name = scene._texts["name"];
        await registry.PushAsync(name, Image, $"{Image.Digest}?tag=1.0&tag=latest&tag=zoo");
        await registry.PushAsync(name, Sbom, $"{Sbom.Digest}");
        await registry.PushAsync(name, Signature, $"{Signature.Digest}");
        await registry.PushBlobAsync(name, Empty);
        await registry.PushBlobAsync(scene._texts["other"], Theirs);
        // One client has only so many uploads at once, so only who needs them has them.
        if (rule.Mentions("{begun}"))
        {
            scene._texts["begun"] = await registry.BeginAsync(name);
        }

        if (rule.Mentions("{upload}"))
        {
            scene._texts["upload"] = await registry.BeginAsync(name);
            Assert.Equal(202, (await registry.SendAsync("PATCH", scene._texts["upload"], Blob.Content[..2000])).Status);
        }

        return scene;
    }

    public string Expand(string text) => Brace().Replace(text, match => (match.Groups["name"].Value, match.Groups["part"].Value) switch
    {
        (var name, "") when _texts.TryGetValue(name, out var known) => known,
        (var name, "") => _contents[name].Digest.ToString(),
        (var name, "size") => $"{_contents[name].Size}",
        (var name, "sha512") => Digest.Of(DigestAlgorithm.Sha512, _contents[name].Content.Span).ToString(),
        (_, var part) => throw new InvalidOperationException($"'{part}' is no part of a content's."),
    });

    /// <summary>A body, as a brace or as text.</summary>
    public ReadOnlyMemory<byte> Bytes(string body)
    {
        if (Brace().Match(body) is not { Success: true } match || match.Length != body.Length)
        {
            return Encoding.UTF8.GetBytes(Expand(body));
        }

        var content = _contents[match.Groups["name"].Value].Content;
        var range = match.Groups["part"].Value.Split('-');
        return range.Length == 2 ? content[int.Parse(range[0])..(int.Parse(range[1]) + 1)] : content;
    }

    private static TestImage Referring(int seed, string artifactType) => TestImage.Create(
        layers: 1, layerSize: 10, seed, subject: Image.Manifest.Descriptor with { Platform = null }, artifactType: artifactType);

    /// <summary>Not those of JSON, which have quotes behind them.</summary>
    [GeneratedRegex(@"\{(?<name>[a-z][A-Za-z]*)(:(?<part>[a-z0-9-]+))?\}", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Brace();
}
