using System.Text.Json;
using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Storage;

public sealed class StoreTests
{
    [Fact]
    public async Task A_stored_blob_that_the_disk_has_changed_is_not_served_but_fetched_again()
    {
        await using var scene = await Scene.StartAsync(layerSize: 600_000);
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        Damage(FileOf(scene, scene.Layer.Digest), position: 400_000);

        var answer = await scene.GetRawAsync(scene.LayerPath);

        Assert.False(answer is { Status: 200, IsComplete: true });
        Assert.Equal(scene.Layer.Content[..answer.Body.Length].ToArray(), answer.Body);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        Assert.Equal(2, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task A_stored_blob_that_was_right_a_moment_ago_is_not_served_once_the_disk_has_changed_it()
    {
        await using var scene = await Scene.StartAsync(layerSize: 600_000);
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        var file = FileOf(scene, scene.Layer.Digest);
        var written = File.GetLastWriteTimeUtc(file);
        Damage(file, position: 400_000);
        // As a program does that copies files with their times.
        File.SetLastWriteTimeUtc(file, written);

        var answer = await scene.GetRawAsync(scene.LayerPath);

        Assert.False(answer is { Status: 200, IsComplete: true });
        Assert.Equal(scene.Layer.Content[..answer.Body.Length].ToArray(), answer.Body);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task What_is_being_received_is_for_no_other_user_of_the_machine()
    {
        await using var scene = await Scene.StartAsync(layerSize: 600_000);
        var gate = new Gate();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Do(Behaviour.StallAfter(300_000, gate));

        await scene.GetRawAsync(scene.TagPath);
        using var client = await RawHttp.ConnectAsync(scene.Mirror.Url);
        await client.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        var head = await client.ReadHeadAsync();

        var staged = Assert.Single(Directory.GetFiles(Path.Combine(scene.Mirror.DataPath, "staged"), "*-*"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(staged));
        gate.Open();
        Assert.True((await client.ReadRestAsync(head)).IsComplete);
    }

    [Fact]
    public async Task A_blob_damaged_at_its_start_is_repaired_before_anything_is_sent()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        Damage(FileOf(scene, scene.Layer.Digest), position: 10);

        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
    }

    [Fact]
    public async Task A_reader_who_still_has_the_damaged_file_open_does_not_cost_the_repaired_one()
    {
        // Larger than the buffers between the store and a client that does not read.
        await using var scene = await Scene.StartAsync(layerSize: 16_000_000);
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        using var slow = await RawHttp.ConnectAsync(scene.Mirror.Url, receiveBuffer: 4096);
        await slow.SendAsync(RawHttp.Request(scene.Mirror.Url, "GET", scene.LayerPath));
        var head = await slow.ReadHeadAsync();
        Damage(FileOf(scene, scene.Layer.Digest), position: 15_900_000);
        Assert.False((await scene.GetRawAsync(scene.LayerPath)).IsComplete);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);

        Assert.False((await slow.ReadRestAsync(head)).IsComplete);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);

        Assert.Equal(2, scene.Upstream.Count(HttpMethod.Get, scene.Layer.Digest));
    }

    [Fact]
    public async Task A_stored_manifest_that_the_disk_has_changed_is_not_served_but_fetched_again()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();

        await scene.Mirror.RestartAsync(() => Damage(FileOf(scene, scene.Image.Digest), position: 10));

        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Content_whose_file_is_gone_or_cut_short_is_fetched_again(bool gone)
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);

        await scene.Mirror.RestartAsync(() =>
        {
            foreach (var digest in scene.Mirror.Published())
            {
                Spoil(FileOf(scene, digest), gone);
            }
        });

        await scene.PullAsync();
    }

    [Fact]
    public async Task Published_content_can_not_be_written_to()
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(FileOf(scene, scene.Layer.Digest)));
    }

    [Fact]
    public async Task What_an_earlier_process_left_staged_is_swept_at_start_unless_it_can_be_gone_on_with()
    {
        await using var scene = await Scene.StartAsync();

        await scene.Mirror.RestartAsync(() => File.WriteAllText(Path.Combine(scene.Mirror.DataPath, "staged", "left"), "half a layer"));

        Assert.Equal(0, scene.Mirror.Staged());
    }

    [Fact]
    public void What_is_staged_and_open_is_never_swept_however_old_it_is()
    {
        using var folder = new TemporaryDirectory();
        var layout = new StoreLayout(folder.Combine("data"));
        layout.Create();
        var blobs = new BlobStore(layout, TimeProvider.System);
        var content = TestBlob.Of("abc"u8.ToArray());
        var now = TimeProvider.System.GetUtcNow();
        var later = now + TimeSpan.FromDays(8);
        using (var staged = blobs.StageDownload("docker.io", content.Digest))
        {
            staged.Append(content.Content.Span);
            Assert.Equal(0, blobs.SweepStaged(later));
            staged.Keep();
        }

        Assert.Equal(0, blobs.SweepStaged(now));
        Assert.Equal(3, blobs.FindStaged("docker.io", content.Digest));
        Assert.Equal(1, blobs.SweepStaged(later));
        Assert.Equal(0, blobs.FindStaged("docker.io", content.Digest));
    }

    [Fact]
    public async Task A_download_leaves_nothing_staged()
    {
        await using var scene = await Scene.StartAsync();
        scene.Upstream.On(HttpMethod.Get, scene.Layer.Digest).Times(1).Do(Behaviour.CutAfter(1000));

        await scene.GetRawAsync(scene.LayerPath);
        await scene.GetExactlyAsync(scene.LayerPath, scene.Layer);
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        await scene.Mirror.RestartAsync(() => Assert.Equal(0, scene.Mirror.Staged()));
    }

    [Fact]
    public async Task The_journal_has_a_line_for_each_change_of_a_tag_or_link_and_none_for_a_pull_that_changes_nothing()
    {
        await using var scene = await Scene.StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);

        var changes = Journal(scene);

        Assert.Contains(changes, c => c is { Op: "tag", Tag: "3.20", Repository: "library/alpine", Registry: "docker.io" } && c.Digest == scene.Image.Digest.ToString());
        Assert.Contains(changes, c => c.Op == "link" && c.Digest == scene.Image.Digest.ToString() && c.MediaType == MediaTypes.OciManifest);
        Assert.Contains(changes, c => c.Op == "hold" && c.Digest == scene.Image.Digest.ToString());

        scene.Mirror.Time.Advance(TimeSpan.FromMinutes(5));
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        Assert.Equal(changes, Journal(scene));

        scene.Upstream.Untag(Scene.Repository, Scene.Tag);
        scene.Mirror.Time.Advance(TimeSpan.FromMinutes(5));
        await scene.GetRawAsync(scene.TagPath);
        Assert.Equal("untag", Journal(scene)[^1].Op);
    }

    [Fact]
    public async Task A_last_journal_line_that_a_crash_has_torn_is_dropped_and_the_next_follows_cleanly()
    {
        await using var scene = await Scene.StartAsync();
        await scene.GetExactlyAsync(scene.TagPath, scene.Image.Manifest);
        var whole = Journal(scene);

        await scene.Mirror.RestartAsync(() => File.AppendAllText(Path.Combine(scene.Mirror.DataPath, "refs.log"), "0123456789abcdef {\"at\":\"20"));
        scene.Upstream.Add(Scene.Repository, TestImage.Create(layers: 1, layerSize: 10, seed: 8), "other");
        await scene.GetRawAsync(Scene.ManifestPath("other"));

        var changes = Journal(scene);
        Assert.Equal(whole, changes[..whole.Length]);
        Assert.Contains(changes, c => c is { Op: "tag", Tag: "other" });
    }

    [Fact]
    public async Task What_a_crash_leaves_at_the_end_of_the_journal_goes_however_long_it_is()
    {
        using var folder = new TemporaryDirectory();
        var layout = new StoreLayout(folder.Path);
        await Store.Open(folder.Path, TimeProvider.System).DisposeAsync();
        File.WriteAllText(layout.Journal, "0123456789abcdef a line\n" + new string('\0', 200_000));

        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            await store.Metadata.RecordTagAsync(
                new RepositoryKey("docker.io", Scene.Repository), new TagSighting(Tag.Parse("1"), DateTimeOffset.UnixEpoch), Digest.Sha256([]));
        }

        var lines = File.ReadAllLines(layout.Journal);
        Assert.Equal((2, "0123456789abcdef a line"), (lines.Length, lines[0]));
        Assert.Matches("^[0-9a-f]{16} \\{", lines[1]);
    }

    [Fact]
    public async Task What_could_not_be_committed_is_not_in_the_journal_either()
    {
        using var folder = new TemporaryDirectory();
        var layout = new StoreLayout(folder.Path);
        using var session = new SqlSession(layout.Database, readOnly: false);
        Schema.Prepare(session);
        session.Execute("CREATE TABLE odd (of INTEGER REFERENCES repositories (id) DEFERRABLE INITIALLY DEFERRED)");
        await using var writer = new MetadataWriter(session, RefJournal.Open(layout), new DatabaseDamage(), TimeProvider.System);
        var key = new RepositoryKey("", Scene.Repository);
        Task TagAsync(string tag, bool fails) => writer.WriteAsync(write =>
        {
            write.SetTag(key, write.GetId(key), Tag.Parse(tag), Digest.Sha256([]), DateTimeOffset.UnixEpoch);
            write.Session.Execute(fails ? "INSERT INTO odd VALUES (77)" : "DELETE FROM odd");
        });

        await TagAsync("first", fails: false);
        await Assert.ThrowsAnyAsync<Exception>(() => TagAsync("failed", fails: true));
        await TagAsync("third", fails: false);

        Assert.Equal(["first", "third"], JournalReader.Read(layout.Journal).Select(line => line.Change!.Tag));
    }

    [Fact]
    public async Task A_data_directory_in_use_is_refused_with_the_reason()
    {
        await using var scene = await Scene.StartAsync();

        var refusal = Assert.Throws<StoreInUseException>(() => Store.Open(scene.Mirror.DataPath, TimeProvider.System));

        Assert.Contains("in use by another process", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_data_directory_that_can_not_be_made_is_refused_with_the_reason()
    {
        using var folder = new TemporaryDirectory();
        File.WriteAllText(folder.Combine("file"), "");

        var refusal = Assert.Throws<StoreException>(() => Store.Open(folder.Combine("file", "data"), TimeProvider.System));

        Assert.Contains("can not be used", refusal.Message, StringComparison.Ordinal);
    }

    [SecondDiskFact]
    public void A_data_directory_on_several_disks_is_refused_with_the_reason_and_nothing_is_left()
    {
        using var folder = new TemporaryDirectory();
        using var other = new SecondDisk();
        File.CreateSymbolicLink(folder.Combine("blobs"), other.Path);

        var refusal = Assert.Throws<StoreException>(() => Store.Open(folder.Path, TimeProvider.System));

        Assert.Contains("have to be on one file system", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(other.Path, "*", SearchOption.AllDirectories));
        Assert.Empty(Directory.EnumerateFiles(folder.Combine("staged")));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_database_of_an_earlier_version_is_gone_on_with(int version)
    {
        await using var scene = await Scene.StartAsync();
        await scene.PullAsync();
        await scene.Mirror.PublishedAsync(scene.Layer.Digest);
        await scene.Mirror.RestartAsync(() =>
        {
            using var session = new SqlSession(Path.Combine(scene.Mirror.DataPath, "mirror.db"), readOnly: false);
            string[][] added =
            [
                ["ALTER TABLE repositories DROP COLUMN public_at", "ALTER TABLE holdings RENAME COLUMN holder TO registry"],
                ["DROP TABLE referrers", "DROP INDEX links_by_digest"],
                [
                    """
                    CREATE TABLE earlier (
                        digest    TEXT PRIMARY KEY,
                        size      INTEGER NOT NULL,
                        checksums BLOB NOT NULL          -- XXH3-64 of each 256 KiB, little-endian
                    ) STRICT, WITHOUT ROWID
                    """,
                    "INSERT INTO earlier SELECT digest, size, checksums FROM blobs",
                    "DROP TABLE blobs",
                    "ALTER TABLE earlier RENAME TO blobs",
                    "DROP TABLE journal",
                ],
            ];
            Array.ForEach([.. added.Skip(version - 1).SelectMany(changes => changes)], sql => session.Execute(sql));
            session.Execute($"PRAGMA user_version = {version}");
        });
        await scene.Upstream.StopAsync();

        await scene.PullAsync();
    }

    [Fact]
    public async Task Many_writes_at_once_are_all_kept_and_one_that_fails_fails_alone()
    {
        using var folder = new TemporaryDirectory();
        var repository = new RepositoryKey("docker.io", RepositoryName.Parse("library/alpine"));
        var manifest = TestImage.Create(layers: 1, layerSize: 10, seed: 1).Manifest;
        Assert.True(Manifest.TryParse(manifest.Content, null, DigestAlgorithm.Sha256, out var parsed, out _));
        await using (var store = Store.Open(folder.Path, TimeProvider.System))
        {
            var blob = store.Blobs.Publish(manifest.Digest, manifest.Content.Span);
            TagSighting Sighting(int i) => new(Tag.Parse($"t{i}"), DateTimeOffset.UnixEpoch);
            var writes = Enumerable.Range(0, 200).Select(i => store.Metadata.RecordManifestAsync(repository, yesHolds: null, parsed, blob, [Sighting(i)])).ToList();
            var failing = store.Metadata.RecordManifestAsync(repository with { Registry = null! }, yesHolds: null, parsed, blob, [Sighting(0)]);
            await Task.WhenAll(writes.Concat(Enumerable.Range(200, 200).Select(i => store.Metadata.RecordTagAsync(repository, Sighting(i), parsed.Digest))));
            await Assert.ThrowsAnyAsync<Exception>(() => failing);
        }

        await using var reopened = Store.Open(folder.Path, TimeProvider.System);
        Assert.Equal(400, reopened.Metadata.ListTags(repository, 1000, null).Count);
    }

    [Fact]
    public async Task A_write_ends_also_where_the_database_has_rolled_everything_back_by_itself()
    {
        using var folder = new TemporaryDirectory();
        var layout = new StoreLayout(folder.Path);
        await using var writer = new MetadataWriter(
            new SqlSession(layout.Database, readOnly: false), RefJournal.Open(layout), new DatabaseDamage(), TimeProvider.System);
        var started = new TaskCompletionSource();
        var queued = new TaskCompletionSource();
        var first = writer.WriteAsync(_ =>
        {
            started.SetResult();
            queued.Task.Wait();
        });
        await started.Task;

        // What SQLite does when the disk is full.
        var second = writer.WriteAsync(write =>
        {
            write.Session.Execute("ROLLBACK");
            throw new IOException("full");
        });
        queued.SetResult();

        Assert.Equal("full", (await Assert.ThrowsAsync<IOException>(() => second)).Message);
        await Assert.ThrowsAnyAsync<Exception>(() => first);
        await writer.WriteAsync(_ => { });
    }

    private static string FileOf(Scene scene, Digest digest) =>
        Path.Combine(scene.Mirror.DataPath, "blobs", "sha256", digest.Hex[..2], digest.Hex);

    private static void Damage(string file, int position)
    {
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
        var one = new byte[1];
        RandomAccess.Read(handle, one, position);
        one[0] ^= 1;
        RandomAccess.Write(handle, one, position);
    }

    private static void Spoil(string file, bool gone)
    {
        if (gone)
        {
            File.Delete(file);
            return;
        }

        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.SetLength(handle, RandomAccess.GetLength(handle) / 2);
    }

    private sealed record Change(string Op, string Registry, string? Repository, string? Tag, string? Digest, string? MediaType);

    private static Change[] Journal(Scene scene)
    {
        using var file = new FileStream(Path.Combine(scene.Mirror.DataPath, "refs.log"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Read)];

        static Change Read(string line)
        {
            Assert.Matches("^[0-9a-f]{16} \\{", line);
            return JsonSerializer.Deserialize<Change>(line[17..], JsonSerializerOptions.Web)!;
        }
    }
}
