using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>What is pushed is there as it was pushed, and what is deleted is gone at once.</summary>
public sealed class PushTests
{
    private const string Repository = "team/app";

    private static readonly TestImage Image = ImageOf(DigestAlgorithm.Sha256);

    [Theory]
    [InlineData(ImageFormat.Oci, DigestAlgorithm.Sha256)]
    [InlineData(ImageFormat.Oci, DigestAlgorithm.Sha512)]
    [InlineData(ImageFormat.Docker, DigestAlgorithm.Sha256)]
    public async Task An_image_is_pulled_as_it_was_pushed_also_after_a_restart(ImageFormat format, DigestAlgorithm algorithm)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var image = ImageOf(algorithm, format);
        await registry.PushAsync(Repository, image, "1.0");

        await registry.Mirror.RestartAsync();

        foreach (var reference in new[] { "1.0", image.Digest.ToString() })
        {
            await ManifestExactlyAsync(registry, image.Manifest, reference);
            var head = await registry.SendAsync("HEAD", $"/v2/{Repository}/manifests/{reference}");
            Assert.Equal(
                (200, $"{image.Manifest.Size}", $"{image.Digest}"),
                (head.Status, head.Header("Content-Length"), head.Header("Docker-Content-Digest")));
        }

        foreach (var blob in image.Blobs)
        {
            await registry.GetExactlyAsync($"/v2/{Repository}/blobs/{blob.Digest}", blob);
        }
    }

    [Fact]
    public async Task A_pushed_manifest_is_answered_with_its_place_and_digest()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await PushBlobsAsync(registry);

        var answer = await registry.PutManifestAsync(Repository, Image.Manifest, "1.0");

        Assert.Equal((201, Image.Digest.ToString()), (answer.Status, answer.Header("Docker-Content-Digest")));
        Assert.Equal($"/v2/{Repository}/manifests/{Image.Digest}", answer.Header("Location"));
    }

    [Fact]
    public async Task Several_tags_go_with_one_manifest()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await PushBlobsAsync(registry);

        var answer = await registry.PutManifestAsync(Repository, Image.Manifest, $"{Image.Digest}?tag=a&tag=b");

        Assert.Equal((201, "a,b"), (answer.Status, answer.Header("OCI-Tag")));
        await registry.GetExactlyAsync($"/v2/{Repository}/manifests/a", Image.Manifest);
        await registry.GetExactlyAsync($"/v2/{Repository}/manifests/b", Image.Manifest);
    }

    [Fact]
    public async Task A_manifest_whose_blobs_are_not_there_is_refused_and_says_which()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushBlobAsync(Repository, Image.Blobs.First());

        var answer = await registry.PutManifestAsync(Repository, Image.Manifest, "1.0");

        Assert.Equal((400, "MANIFEST_BLOB_UNKNOWN"), (answer.Status, answer.Error));
        Assert.Contains("was not pushed", Encoding.UTF8.GetString(answer.Body), StringComparison.Ordinal);
        Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{Repository}/manifests/1.0")).Status);
        Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{Repository}/manifests/{Image.Digest}")).Status);
    }

    [Fact]
    public async Task A_blob_of_another_repository_is_no_blob_of_this_one()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync("team/other", Image, "1.0");

        Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{Repository}/blobs/{Image.Layer.Digest}")).Status);
        Assert.Equal("MANIFEST_BLOB_UNKNOWN", (await registry.PutManifestAsync(Repository, Image.Manifest, "1.0")).Error);
    }

    [Fact]
    public async Task A_manifest_that_says_another_size_is_refused()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await PushBlobsAsync(registry);
        var lying = TestBlob.Of(
            Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Image.Manifest.Content.Span).Replace(":1000", ":1001", StringComparison.Ordinal)),
            Image.Manifest.MediaType);

        var answer = await registry.PutManifestAsync(Repository, lying, "1.0");

        Assert.Equal((400, "SIZE_INVALID"), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task A_manifest_under_another_digest_is_refused()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await PushBlobsAsync(registry);

        var answer = await registry.PutManifestAsync(Repository, Image.Manifest, Digest.Sha256("other"u8).ToString());

        Assert.Equal((400, "DIGEST_INVALID"), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task A_manifest_under_both_of_its_digests_is_deleted_under_the_one_that_is_said()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "short");
        var long512 = TestBlob.Of(Image.Manifest.Content, Image.Manifest.MediaType, DigestAlgorithm.Sha512);

        var pushed = await registry.PutManifestAsync(Repository, long512, $"{long512.Digest}?tag=long");
        await ManifestExactlyAsync(registry, long512, "long");
        await ManifestExactlyAsync(registry, long512, $"{long512.Digest}");

        Assert.Equal(
            (201, $"/v2/{Repository}/manifests/{long512.Digest}", "long"),
            (pushed.Status, pushed.Header("Location"), pushed.Header("OCI-Tag")));
        Assert.Equal(202, (await registry.SendAsync("DELETE", $"/v2/{Repository}/manifests/{long512.Digest}")).Status);
        foreach (var gone in new[] { $"{long512.Digest}", "long" })
        {
            Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{Repository}/manifests/{gone}")).Status);
        }

        await ManifestExactlyAsync(registry, Image.Manifest, $"{Image.Digest}");
        await ManifestExactlyAsync(registry, Image.Manifest, "short");
    }

    [Theory]
    [InlineData(ImageFormat.Oci, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")]
    [InlineData(ImageFormat.Docker, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")]
    public async Task A_layer_that_no_registry_has_need_not_be_pushed_and_any_other_has_to_be(ImageFormat format, string foreign)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var image = ImageOf(DigestAlgorithm.Sha256, format);
        await registry.PushAsync(Repository, image, "1.0");
        var named = WithLayer(image, new(foreign, Digest.Sha256("elsewhere"u8), 7));
        var lacking = WithLayer(image, new(image.Layer.MediaType, Digest.Sha256("elsewhere"u8), 7));

        var pushed = await registry.PutManifestAsync(Repository, named, "foreign");
        var refused = await registry.PutManifestAsync(Repository, lacking, "lacking");

        Assert.Equal((201, 400, "MANIFEST_BLOB_UNKNOWN"), (pushed.Status, refused.Status, refused.Error));
        await ManifestExactlyAsync(registry, named, "foreign");
        await ManifestExactlyAsync(registry, named, $"{named.Digest}");
        Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{Repository}/blobs/{Digest.Sha256("elsewhere"u8)}")).Status);
    }

    [Theory]
    [InlineData(ImageFormat.Oci)]
    [InlineData(ImageFormat.Docker)]
    public async Task An_index_is_pulled_with_its_images_as_it_was_pushed_and_as_the_kind_that_it_is(ImageFormat format)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var index = TestIndex.Create(layerSize: 1000, seed: 4, format: format);
        foreach (var image in index.Images)
        {
            await registry.PushAsync(Repository, image, $"{image.Digest}");
        }

        var pushed = await registry.PutManifestAsync(Repository, index.Manifest, "all");

        Assert.Equal((201, $"{index.Digest}"), (pushed.Status, pushed.Header("Docker-Content-Digest")));
        await ManifestExactlyAsync(registry, index.Manifest, "all");
        foreach (var manifest in index.Images.Select(image => image.Manifest).Append(index.Manifest))
        {
            await ManifestExactlyAsync(registry, manifest, $"{manifest.Digest}");
        }
    }

    [Theory]
    [InlineData(4 * 1024 * 1024, 201)]
    [InlineData((4 * 1024 * 1024) + 1, 413)]
    public async Task A_manifest_may_have_four_mebibytes(int size, int status)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var empty = Artifact(new { }, subject: null, filler: "");
        var large = Artifact(new { }, subject: null, filler: new string('x', size - (int)empty.Size));
        await registry.PushBlobAsync(Repository, EmptyConfig);

        Assert.Equal(size, large.Size);
        Assert.Equal(status, (await registry.PutManifestAsync(Repository, large, "large")).Status);
    }

    [Fact]
    public async Task An_index_may_lack_children_but_not_lie_about_those_that_are_there()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "1.0");
        var sparse = Index([new(Image.Manifest.MediaType, Image.Digest, Image.Manifest.Size), new(MediaTypes.OciManifest, Digest.Sha256("gone"u8), 5)]);
        var lying = Index([new(Image.Manifest.MediaType, Image.Digest, Image.Manifest.Size + 1)]);

        Assert.Equal(201, (await registry.PutManifestAsync(Repository, sparse, "sparse")).Status);
        Assert.Equal("SIZE_INVALID", (await registry.PutManifestAsync(Repository, lying, "lying")).Error);
        await registry.GetExactlyAsync($"/v2/{Repository}/manifests/sparse", sparse);
    }

    [Fact]
    public async Task A_child_that_an_index_merely_names_is_not_opened_by_it()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync("team/private", Image, "1.0");
        await registry.PutManifestAsync(Repository, Index([new(Image.Manifest.MediaType, Image.Digest, Image.Manifest.Size)]), "all");

        Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{Repository}/manifests/{Image.Digest}")).Status);
    }

    [Theory]
    [InlineData(DigestAlgorithm.Sha256)]
    [InlineData(DigestAlgorithm.Sha512)]
    public async Task What_refers_to_a_manifest_is_listed_page_by_page_and_by_its_kind(DigestAlgorithm algorithm)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var image = ImageOf(algorithm);
        await registry.PushAsync(Repository, image, "1.0");
        await registry.PushBlobAsync(Repository, EmptyConfig);
        var subject = new Descriptor(image.Manifest.MediaType, image.Digest, image.Manifest.Size);
        for (var number = 0; number < 5; number++)
        {
            var artifact = Artifact(new { number = $"{number}" }, subject, filler: $"{number}", artifactType: number < 2 ? "application/x.sbom" : "application/x.signature");
            var pushed = await registry.PutManifestAsync(Repository, artifact, artifact.Digest.ToString());
            Assert.Equal((201, image.Digest.ToString()), (pushed.Status, pushed.Header("OCI-Subject")));
        }

        var all = await registry.SendAsync("GET", $"/v2/{Repository}/referrers/{image.Digest}");
        var sboms = await registry.SendAsync("GET", $"/v2/{Repository}/referrers/{image.Digest}?artifactType=application/x.sbom");
        var first = await registry.SendAsync("GET", $"/v2/{Repository}/referrers/{image.Digest}?n=3");
        var second = await registry.SendAsync("GET", NextOf(first)!);
        var none = await registry.SendAsync("GET", $"/v2/{Repository}/referrers/{Digest.Of(algorithm, "nothing"u8)}");

        Assert.Equal((200, MediaTypes.OciIndex), (all.Status, all.Header("Content-Type")));
        Assert.Equal(5, Manifests(all).Count);
        Assert.Equal(2, Manifests(sboms).Count);
        Assert.Equal("artifactType", sboms.Header("OCI-Filters-Applied"));
        Assert.Equal(Manifests(all), [.. Manifests(first), .. Manifests(second)]);
        Assert.Null(second.Header("Link"));
        Assert.Empty(Manifests(none));
    }

    [Fact]
    public async Task What_refers_to_a_manifest_is_filtered_by_its_kind_on_every_page()
    {
        const string Sbom = "application/x.sbom+json";
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushBlobAsync(Repository, EmptyConfig);
        var sboms = new List<string?>();
        for (var number = 0; number < 10; number++)
        {
            var kind = number % 2 == 0 ? Sbom : "application/x.signature";
            var artifact = Artifact(new { }, Image.Manifest.Descriptor, filler: $"{number}", kind);
            Assert.Equal(201, (await registry.PutManifestAsync(Repository, artifact, $"{artifact.Digest}")).Status);
            if (kind == Sbom)
            {
                sboms.Add($"{artifact.Digest}");
            }
        }

        var pages = new List<string?[]>();
        for (var next = $"/v2/{Repository}/referrers/{Image.Digest}?n=2&artifactType={Uri.EscapeDataString(Sbom)}"; next is not null;)
        {
            var page = await registry.SendAsync("GET", next);
            Assert.Equal((200, "artifactType"), (page.Status, page.Header("OCI-Filters-Applied")));
            pages.Add([.. Manifests(page)]);
            next = NextOf(page);
        }

        Assert.Equal(sboms.Order(StringComparer.Ordinal).Chunk(2), pages);
    }

    [Fact]
    public async Task What_refers_to_a_manifest_is_listed_with_its_annotations_and_an_index_with_no_kind_but_its_own()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushBlobAsync(Repository, EmptyConfig);
        var subject = Image.Manifest.Descriptor;
        var annotations = new { created = "today", empty = "", text = "ä \"<>&+" };
        var artifact = Artifact(annotations, subject, filler: "");
        var index = Index([], subject);
        var ofAKind = Index([], subject, "application/x.bundle", new { of = "several" });
        var listed = new Dictionary<TestBlob, string>
        {
            [artifact] = About(artifact, new { artifactType = "application/x.test", annotations }),
            [index] = About(index, new { }),
            [ofAKind] = About(ofAKind, new { artifactType = "application/x.bundle", annotations = new { of = "several" } }),
        };
        foreach (var manifest in listed.Keys)
        {
            Assert.Equal(201, (await registry.PutManifestAsync(Repository, manifest, $"{manifest.Digest}")).Status);
        }

        var answer = await registry.SendAsync("GET", $"/v2/{Repository}/referrers/{Image.Digest}");

        Assert.Equal(
            listed.OrderBy(of => $"{of.Key.Digest}", StringComparer.Ordinal).Select(of => of.Value),
            JsonNode.Parse(answer.Body)!["manifests"]!.AsArray().Select(item => item!.ToJsonString()));

        static string About(TestBlob manifest, object more)
        {
            var about = JsonSerializer.SerializeToNode(Json(manifest.Descriptor))!.AsObject();
            foreach (var (name, value) in JsonSerializer.SerializeToNode(more)!.AsObject())
            {
                about[name] = value!.DeepClone();
            }

            return about.ToJsonString();
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    public async Task What_does_not_say_its_kind_is_listed_as_its_configs(string? artifactType)
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushBlobAsync(Repository, EmptyConfig);
        var subject = new Descriptor(Image.Manifest.MediaType, Image.Digest, Image.Manifest.Size);
        await registry.PutManifestAsync(Repository, Artifact(new { }, subject, filler: "", artifactType), "1.0");

        var listed = await registry.SendAsync("GET", $"/v2/{Repository}/referrers/{Image.Digest}?artifactType=application/vnd.oci.empty.v1%2Bjson");

        Assert.Single(Manifests(listed));
    }

    [Fact]
    public async Task A_blob_is_not_deleted_as_if_it_were_a_manifest()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "1.0");

        var answer = await registry.SendAsync("DELETE", $"/v2/{Repository}/manifests/{Image.Layer.Digest}");

        Assert.Equal((404, "MANIFEST_UNKNOWN"), (answer.Status, answer.Error));
        await registry.GetExactlyAsync($"/v2/{Repository}/blobs/{Image.Layer.Digest}", Image.Layer);
    }

    [Theory]
    [InlineData(DigestAlgorithm.Sha256)]
    [InlineData(DigestAlgorithm.Sha512)]
    public async Task What_is_deleted_is_gone_at_once(DigestAlgorithm algorithm)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var image = ImageOf(algorithm);
        await registry.PushAsync(Repository, image, "1.0");
        await registry.PutManifestAsync(Repository, image.Manifest, "latest");

        Assert.Equal(202, (await registry.SendAsync("DELETE", $"/v2/{Repository}/manifests/1.0")).Status);
        Assert.Equal(404, (await registry.SendAsync("HEAD", $"/v2/{Repository}/manifests/1.0")).Status);
        await registry.GetExactlyAsync($"/v2/{Repository}/manifests/latest", image.Manifest);

        Assert.Equal(202, (await registry.SendAsync("DELETE", $"/v2/{Repository}/manifests/{image.Digest}")).Status);
        Assert.Equal(404, (await registry.SendAsync("HEAD", $"/v2/{Repository}/manifests/{image.Digest}")).Status);
        Assert.Equal(404, (await registry.SendAsync("HEAD", $"/v2/{Repository}/manifests/latest")).Status);

        Assert.Equal(202, (await registry.SendAsync("DELETE", $"/v2/{Repository}/blobs/{image.Layer.Digest}")).Status);
        Assert.Equal(404, (await registry.SendAsync("HEAD", $"/v2/{Repository}/blobs/{image.Layer.Digest}")).Status);

        (string Path, string Code)[] deleted =
        [
            ($"manifests/{image.Digest}", "MANIFEST_UNKNOWN"), ("manifests/1.0", "MANIFEST_UNKNOWN"), ($"blobs/{image.Layer.Digest}", "BLOB_UNKNOWN"),
        ];
        foreach (var (path, code) in deleted)
        {
            var again = await registry.SendAsync("DELETE", $"/v2/{Repository}/{path}");
            Assert.Equal((404, code), (again.Status, again.Error));
        }
    }

    [Fact]
    public async Task Tags_are_listed_in_their_order_page_by_page()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await PushBlobsAsync(registry);
        Assert.Equal(404, (await registry.SendAsync("GET", "/v2/team/nothing/tags/list")).Status);
        foreach (var tag in new[] { "b", "B", "a", "1", "_x" })
        {
            await registry.PutManifestAsync(Repository, Image.Manifest, tag);
        }

        var first = await registry.SendAsync("GET", $"/v2/{Repository}/tags/list?n=3");
        var second = await registry.SendAsync("GET", $"/v2/{Repository}/tags/list?n=3&last=_x");
        var none = await registry.SendAsync("GET", $"/v2/{Repository}/tags/list?n=0");

        Assert.Equal(["1", "B", "_x"], Tags(first));
        Assert.NotNull(first.Header("Link"));
        Assert.Equal(["a", "b"], Tags(second));
        Assert.Null(second.Header("Link"));
        Assert.Empty(Tags(none));
    }

    [Fact]
    public async Task A_name_of_an_upstream_is_not_pushed_to()
    {
        await using var upstream = await FakeRegistry.StartAsync();
        await using var mirror = await MirrorHost.StartAsync(upstream);

        foreach (var path in new[] { "/v2/docker.io/library/app/blobs/uploads/", "/v2/library/app/blobs/uploads/", "/v2/app/blobs/uploads/?ns=docker.io" })
        {
            using var answer = await mirror.SendAsync(HttpMethod.Post, path);
            Assert.Equal(405, (int)answer.StatusCode);
            Assert.Contains("UNSUPPORTED", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task A_name_of_one_segment_is_ours_once_something_was_pushed_to_it_and_upstreams_before()
    {
        await using var upstream = await FakeRegistry.StartAsync();
        var theirs = TestImage.Create(seed: 9);
        upstream.Add(RepositoryName.Parse("library/app"), theirs, "1.0");
        await using var mirror = await MirrorHost.StartAsync(upstream);
        using (var before = await mirror.GetAsync("/v2/app/manifests/1.0"))
        {
            Assert.Equal(theirs.Manifest.Content.ToArray(), await before.Content.ReadAsByteArrayAsync());
        }

        using var client = new HttpClient { BaseAddress = mirror.Url };
        foreach (var blob in Image.Blobs)
        {
            using var pushed = await client.PostAsync($"/v2/app/blobs/uploads/?digest={blob.Digest}", new ReadOnlyMemoryContent(blob.Content));
            Assert.Equal(201, (int)pushed.StatusCode);
        }

        var manifest = new ReadOnlyMemoryContent(Image.Manifest.Content);
        manifest.Headers.ContentType = new(Image.Manifest.MediaType);
        using (var put = await client.PutAsync("/v2/app/manifests/1.0", manifest))
        {
            Assert.Equal(201, (int)put.StatusCode);
        }

        upstream.ClearRequests();
        Assert.Equal(Image.Manifest.Content.ToArray(), await client.GetByteArrayAsync("/v2/app/manifests/1.0"));
        Assert.Empty(upstream.Requests);
    }

    [Theory]
    [InlineData("team/app")]
    [InlineData("team/very/deep/app")]
    public async Task A_longer_name_of_our_own_that_nobody_pushed_is_not_there_and_upstream_is_not_asked(string name)
    {
        await using var upstream = await FakeRegistry.StartAsync();
        upstream.Add(RepositoryName.Parse(name), Image, "1.0");
        await using var registry = await OwnRegistry.StartAsync(upstream, "team/**");

        foreach (var path in new[] { "manifests/1.0", $"manifests/{Image.Digest}", $"blobs/{Image.Layer.Digest}", "tags/list" })
        {
            Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/{name}/{path}")).Status);
            Assert.Equal(404, (await registry.SendAsync("HEAD", $"/v2/{name}/{path}")).Status);
        }

        Assert.Empty(upstream.Requests);
    }

    private static TestBlob EmptyConfig { get; } = TestBlob.Of("{}"u8.ToArray());

    private static TestImage ImageOf(DigestAlgorithm algorithm, ImageFormat format = ImageFormat.Oci) =>
        TestImage.Create(layers: 2, layerSize: 1000, seed: 4, format, algorithm: algorithm);

    private static TestBlob WithLayer(TestImage image, Descriptor layer)
    {
        var manifest = JsonNode.Parse(image.Manifest.Content.Span)!;
        var added = JsonSerializer.SerializeToNode(Json(layer))!;
        added["urls"] = new JsonArray("https://example.com/layer");
        manifest["layers"]!.AsArray().Add(added);
        return TestBlob.Of(Encoding.UTF8.GetBytes(manifest.ToJsonString()), image.Manifest.MediaType);
    }

    private static async Task ManifestExactlyAsync(OwnRegistry registry, TestBlob manifest, string reference)
    {
        var answer = await registry.SendAsync("GET", $"/v2/{Repository}/manifests/{reference}");
        Assert.Equal(
            (200, manifest.MediaType, $"{manifest.Digest}"),
            (answer.Status, answer.Header("Content-Type"), answer.Header("Docker-Content-Digest")));
        Assert.Equal(manifest.Content.ToArray(), answer.Body);
    }

    private static async Task PushBlobsAsync(OwnRegistry registry)
    {
        foreach (var blob in Image.Blobs)
        {
            await registry.PushBlobAsync(Repository, blob);
        }
    }

    private static TestBlob Artifact(object annotations, Descriptor? subject, string filler, string? artifactType = "application/x.test")
    {
        var manifest = new Dictionary<string, object>
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciManifest,
            ["config"] = Json(new Descriptor("application/vnd.oci.empty.v1+json", EmptyConfig.Digest, EmptyConfig.Size)),
            ["layers"] = Array.Empty<object>(),
            ["annotations"] = annotations,
            ["filler"] = filler,
        };
        if (artifactType is not null)
        {
            manifest["artifactType"] = artifactType;
        }

        if (subject is not null)
        {
            manifest["subject"] = Json(subject);
        }

        return TestBlob.Of(JsonSerializer.SerializeToUtf8Bytes(manifest), MediaTypes.OciManifest);
    }

    [Fact]
    public async Task A_manifest_is_not_deleted_as_a_blob_nor_a_blob_as_a_manifest()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await registry.PushAsync(Repository, Image, "1");

        Assert.Equal(404, (await registry.SendAsync("DELETE", $"/v2/{Repository}/blobs/{Image.Digest}")).Status);
        Assert.Equal(404, (await registry.SendAsync("DELETE", $"/v2/{Repository}/manifests/{Image.Layer.Digest}")).Status);

        await registry.GetExactlyAsync($"/v2/{Repository}/manifests/1", Image.Manifest);
        await registry.GetExactlyAsync($"/v2/{Repository}/blobs/{Image.Layer.Digest}", Image.Layer);
    }

    private static TestBlob Index(
        IEnumerable<Descriptor> children, Descriptor? subject = null, string? artifactType = null, object? annotations = null)
    {
        var manifest = new Dictionary<string, object?>
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciIndex,
            ["manifests"] = children.Select(Json),
            ["subject"] = subject is null ? null : Json(subject),
            ["artifactType"] = artifactType,
            ["annotations"] = annotations,
        };
        var said = manifest.Where(member => member.Value is not null).ToDictionary();
        return TestBlob.Of(JsonSerializer.SerializeToUtf8Bytes(said), MediaTypes.OciIndex);
    }

    private static object Json(Descriptor descriptor) => new { mediaType = descriptor.MediaType, digest = descriptor.Digest.ToString(), size = descriptor.Size };

    private static List<string?> Manifests(PushAnswer answer) =>
        [.. JsonDocument.Parse(answer.Body).RootElement.GetProperty("manifests").EnumerateArray().Select(item => item.GetProperty("digest").GetString())];

    /// <summary>Where the next page is.</summary>
    private static string? NextOf(PushAnswer page) =>
        page.Header("Link") is { } link ? link[1..link.IndexOf('>', StringComparison.Ordinal)] : null;

    private static List<string?> Tags(PushAnswer answer) =>
        [.. JsonDocument.Parse(answer.Body).RootElement.GetProperty("tags").EnumerateArray().Select(item => item.GetString())];
}
