using FsCheck;
using FsCheck.Fluent;
using Mirror.Oci;

namespace Mirror.Tests.Local;

/// <summary>One thing that a client does, to a registry and to its model.</summary>
internal abstract record ModelStep
{
    /// <summary>Shrinking leaves steps out: many at once first, and each by itself at last.</summary>
    public static Arbitrary<ModelStep[]> Sequences { get; } = Arb.From(
        Any().ArrayOf(),
        steps => from size in new[] { steps.Length / 2, steps.Length / 4, 1 }
                 where size > 0
                 from start in Enumerable.Range(0, steps.Length / size)
                 select steps.Where((_, index) => index / size != start).ToArray());

    /// <returns>Null, or how the registry's answer differs from the model's.</returns>
    public abstract Task<string?> RunAsync(ModelWorld world);

    private static Gen<ModelStep> Any()
    {
        var repository = Gen.Choose(0, ModelWorld.Repositories - 1);
        var blob = Gen.Choose(0, ModelWorld.Blobs.Count - 1);
        var manifest = Gen.Choose(0, ModelWorld.Manifests.Count - 1);
        var upload = Gen.Choose(0, 5);
        var tag = Gen.Elements<string>([.. ModelWorld.Tags]);
        var tags = tag.ListOf().Select(all => all.Distinct().ToArray());
        return Gen.Frequency(
            (4, from r in repository from b in blob select (ModelStep)new PushBlob(r, b)),
            (2, repository.Select(r => (ModelStep)new Begin(r))),
            (4, from u in upload from b in blob from half in Gen.Elements(0, 1, 2) select (ModelStep)new Patch(u, b, half)),
            (1, upload.Select(u => (ModelStep)new PatchElsewhere(u))),
            (3, from u in upload from b in blob select (ModelStep)new Finish(u, b)),
            (1, upload.Select(u => (ModelStep)new Cancel(u))),
            (2, from r in repository from b in blob from anonymous in Gen.Elements(true, false) select (ModelStep)new Mount(r, b, anonymous)),
            (6, from r in repository from m in manifest from t in tag select (ModelStep)new PutManifest(r, m, t, [])),
            (2, from r in repository from m in manifest from t in tags select (ModelStep)new PutManifest(r, m, null, t)),
            (2, from r in repository from t in tag select (ModelStep)new DeleteManifest(r, t)),
            (2, from r in repository from m in manifest select (ModelStep)new DeleteManifest(r, $"{ModelWorld.Manifests[m].Digest}")),
            (1, from r in repository from b in blob select (ModelStep)new DeleteManifest(r, $"{ModelWorld.Blobs[b].Digest}")),
            (2, from r in repository from b in blob select (ModelStep)new DeleteBlob(r, ModelWorld.Blobs[b].Digest)),
            (1, from r in repository from m in manifest select (ModelStep)new DeleteBlob(r, ModelWorld.Manifests[m].Digest)),
            (2, Gen.Constant((ModelStep)new ReadAll())),
            (1, Gen.Constant((ModelStep)new Restart())));
    }

    public sealed record PushBlob(int Repository, int Blob) : ModelStep
    {
        public override async Task<string?> RunAsync(ModelWorld world)
        {
            var (name, blob) = (world.Name(Repository), ModelWorld.Blobs[Blob]);
            var answer = await world.Registry.SendAsync("POST", $"/v2/{name}/blobs/uploads/?digest={blob.Digest}", blob.Content);
            world.Model[name].AddBlob(blob);
            return ModelWorld.Compare(answer, 201);
        }
    }

    public sealed record Begin(int Repository) : ModelStep
    {
        public override async Task<string?> RunAsync(ModelWorld world)
        {
            var name = world.Name(Repository);
            var answer = await world.Registry.SendAsync("POST", $"/v2/{name}/blobs/uploads/");
            world.Model.Uploads.Add(new ModelUpload(name, answer.Header("Location") ?? ""));
            return ModelWorld.Compare(answer, 202);
        }
    }

    /// <summary>A step with an upload, which does nothing where there is none.</summary>
    public abstract record WithUpload(int Upload) : ModelStep
    {
        public sealed override Task<string?> RunAsync(ModelWorld world) => world.Model.Uploads.Count == 0
            ? Task.FromResult<string?>(null)
            : RunAsync(world, world.Model.Uploads[^(1 + (Upload % world.Model.Uploads.Count))]);

        protected abstract Task<string?> RunAsync(ModelWorld world, ModelUpload upload);
    }

    /// <summary>Half of a blob, said to be at its place or, with <paramref name="Half"/> 2, all of it without a word of its place.</summary>
    public sealed record Patch(int Upload, int Blob, int Half) : WithUpload(Upload)
    {
        protected override async Task<string?> RunAsync(ModelWorld world, ModelUpload upload)
        {
            var content = ModelWorld.Blobs[Blob].Content;
            var middle = content.Length / 2;
            var (start, end) = Half switch { 0 => (0, middle), 1 => (middle, content.Length), _ => (0, content.Length) };
            var isPlaced = Half < 2 && end > start;
            (string, string)[] headers = isPlaced ? [("Content-Range", $"{start}-{end - 1}")] : [];
            var answer = await world.Registry.SendAsync("PATCH", upload.Location, content[start..end], headers);
            if (upload.IsOver)
            {
                return ModelWorld.Compare(answer, 404, "BLOB_UPLOAD_UNKNOWN");
            }

            if (isPlaced && start != upload.Received.Count)
            {
                return ModelWorld.Compare(answer, 416, "BLOB_UPLOAD_INVALID");
            }

            upload.Received.AddRange(content[start..end].Span);
            return ModelWorld.Compare(answer, 202)
                ?? (answer.Header("Range") == upload.Range ? null : $"{answer.Header("Range")} instead of {upload.Range}");
        }
    }

    /// <summary>The same upload through another repository.</summary>
    public sealed record PatchElsewhere(int Upload) : WithUpload(Upload)
    {
        protected override async Task<string?> RunAsync(ModelWorld world, ModelUpload upload)
        {
            var other = upload.Repository == world.Name(0) ? world.Name(1) : world.Name(0);
            var location = upload.Location.Replace(upload.Repository, other, StringComparison.Ordinal);
            return ModelWorld.Compare(await world.Registry.SendAsync("PATCH", location, new byte[1]), 404, "BLOB_UPLOAD_UNKNOWN");
        }
    }

    public sealed record Finish(int Upload, int Blob) : WithUpload(Upload)
    {
        protected override async Task<string?> RunAsync(ModelWorld world, ModelUpload upload)
        {
            var blob = ModelWorld.Blobs[Blob];
            // What is missing, if what is there is the beginning.
            var received = upload.Received.ToArray();
            var rest = received.Length <= blob.Size ? blob.Content[received.Length..] : ReadOnlyMemory<byte>.Empty;
            var isRight = received.Length <= blob.Size && blob.Content.Span.StartsWith(received);
            var answer = await world.Registry.SendAsync("PUT", OwnRegistry.With(upload.Location, $"digest={blob.Digest}"), rest);
            if (upload.IsOver)
            {
                return world.Model[upload.Repository].Contents.ContainsKey(blob.Digest)
                    ? ModelWorld.Compare(answer, 201)
                    : ModelWorld.Compare(answer, 404, "BLOB_UPLOAD_UNKNOWN");
            }

            upload.IsOver = true;
            if (!isRight)
            {
                return ModelWorld.Compare(answer, 400, "DIGEST_INVALID");
            }

            world.Model[upload.Repository].AddBlob(blob);
            return ModelWorld.Compare(answer, 201);
        }
    }

    public sealed record Cancel(int Upload) : WithUpload(Upload)
    {
        protected override async Task<string?> RunAsync(ModelWorld world, ModelUpload upload)
        {
            var answer = await world.Registry.SendAsync("DELETE", upload.Location);
            var wasOver = upload.IsOver;
            upload.IsOver = true;
            return wasOver ? ModelWorld.Compare(answer, 404, "BLOB_UPLOAD_UNKNOWN") : ModelWorld.Compare(answer, 204);
        }
    }

    /// <summary>From the other repository. Without saying so it may come from any, of another run too: then it is given up where that is.</summary>
    public sealed record Mount(int Repository, int Blob, bool Anonymous) : ModelStep
    {
        public override async Task<string?> RunAsync(ModelWorld world)
        {
            var (name, other, blob) = (world.Name(Repository), world.Name(1 - Repository), ModelWorld.Blobs[Blob]);
            var from = Anonymous ? "" : $"&from={other}";
            var answer = await world.Registry.SendAsync("POST", $"/v2/{name}/blobs/uploads/?mount={blob.Digest}{from}");
            var isThere = Anonymous ? answer.Status == 201 || world.Model.IsAnywhere(blob.Digest) : world.Model[other].Contents.ContainsKey(blob.Digest);
            if (isThere)
            {
                world.Model[name].AddBlob(blob);
                return ModelWorld.Compare(answer, 201);
            }

            world.Model.Uploads.Add(new ModelUpload(name, answer.Header("Location") ?? ""));
            return ModelWorld.Compare(answer, 202);
        }
    }

    public sealed record PutManifest(int Repository, int Manifest, string? Tag, string[] Tags) : ModelStep
    {
        public override async Task<string?> RunAsync(ModelWorld world)
        {
            var (name, manifest) = (world.Name(Repository), ModelWorld.Manifests[Manifest]);
            var reference = $"{Tag ?? $"{manifest.Digest}"}?{string.Join('&', Tags.Select(tag => $"tag={tag}"))}";
            var answer = await world.Registry.PutManifestAsync(name, manifest, reference);
            var status = world.Model[name].Put(manifest, Tag is null ? Tags : [Tag, .. Tags]);
            return ModelWorld.Compare(answer, status, status == 201 ? null : "MANIFEST_BLOB_UNKNOWN");
        }

        public override string ToString() => $"PutManifest {Manifest} to {Repository} as {Tag} {string.Join(' ', Tags)}";
    }

    public sealed record DeleteManifest(int Repository, string Reference) : ModelStep
    {
        public override async Task<string?> RunAsync(ModelWorld world)
        {
            var name = world.Name(Repository);
            var answer = await world.Registry.SendAsync("DELETE", $"/v2/{name}/manifests/{Reference}");
            return world.Model[name].DeleteManifest(Reference)
                ? ModelWorld.Compare(answer, 202)
                : ModelWorld.Compare(answer, 404, "MANIFEST_UNKNOWN");
        }
    }

    public sealed record DeleteBlob(int Repository, Digest Digest) : ModelStep
    {
        public override async Task<string?> RunAsync(ModelWorld world)
        {
            var name = world.Name(Repository);
            var answer = await world.Registry.SendAsync("DELETE", $"/v2/{name}/blobs/{Digest}");
            return world.Model[name].DeleteBlob(Digest) ? ModelWorld.Compare(answer, 202) : ModelWorld.Compare(answer, 404, "BLOB_UNKNOWN");
        }
    }

    public sealed record ReadAll : ModelStep
    {
        public override Task<string?> RunAsync(ModelWorld world) => world.FindDifferenceAsync();
    }

    /// <summary>Of the server, on the same data.</summary>
    public sealed record Restart : ModelStep
    {
        public override async Task<string?> RunAsync(ModelWorld world)
        {
            await world.Registry.Mirror.RestartAsync();
            return null;
        }
    }
}
