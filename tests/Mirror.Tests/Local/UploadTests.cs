using System.Net.Sockets;
using System.Text;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;
using Mirror.Tests.Storage;

namespace Mirror.Tests.Local;

/// <summary>Blobs are pushed in all the ways that the distribution spec has, and what was received is never lost.</summary>
public sealed class UploadTests
{
    private const string Repository = "team/app";

    private static readonly TestBlob Blob = TestBlob.Of(Enumerable.Range(0, 5000).Select(i => (byte)(i * 7)).ToArray());
    private static readonly TestBlob BlobOf512 = TestBlob.Of(Blob.Content, algorithm: DigestAlgorithm.Sha512);
    private static readonly string BlobPath = $"/v2/{Repository}/blobs/{Blob.Digest}";

    [Fact]
    public async Task A_blob_in_one_request()
    {
        await using var registry = await OwnRegistry.StartAsync();

        var answer = await registry.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?digest={Blob.Digest}", Blob.Content);

        Assert.Equal((201, BlobPath, Blob.Digest.ToString()), (answer.Status, answer.Header("Location"), answer.Header("Docker-Content-Digest")));
        await registry.GetExactlyAsync(answer.Header("Location")!, Blob);
    }

    [Theory]
    [InlineData(DigestAlgorithm.Sha256)]
    [InlineData(DigestAlgorithm.Sha512)]
    public async Task A_blob_in_two_requests_under_either_digest(DigestAlgorithm algorithm)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var digest = Digest.Of(algorithm, Blob.Content.Span);
        var begun = await registry.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/");

        var ended = await registry.SendAsync("PUT", OwnRegistry.With(begun.Header("Location")!, $"digest={digest}"), Blob.Content);

        Assert.Equal((202, "0-0"), (begun.Status, begun.Header("Range")));
        Assert.NotNull(begun.Header("Docker-Upload-UUID"));
        Assert.Equal((201, digest.ToString()), (ended.Status, ended.Header("Docker-Content-Digest")));
        await registry.GetExactlyAsync($"/v2/{Repository}/blobs/{digest}", Blob);
        Assert.Equal(digest.ToString(), (await registry.SendAsync("HEAD", $"/v2/{Repository}/blobs/{digest}")).Header("Docker-Content-Digest"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_blob_in_chunks(bool lastWithPut)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);

        var first = await ChunkAsync(registry, "PATCH", location, 0, 2000);
        var second = await ChunkAsync(registry, "PATCH", first.Header("Location")!, 2000, lastWithPut ? 4000 : 5000);
        var put = OwnRegistry.With(second.Header("Location")!, $"digest={Blob.Digest}");
        var last = lastWithPut ? await ChunkAsync(registry, "PUT", put, 4000, 5000) : await registry.SendAsync("PUT", put);

        Assert.Equal((202, "0-1999"), (first.Status, first.Header("Range")));
        Assert.Equal(202, second.Status);
        Assert.Equal(201, last.Status);
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    /// <summary>What the client announces saves work, and is lost with a restart: the digest at the end is what counts.</summary>
    [Theory]
    [InlineData("", "sha512", false)]
    [InlineData("", "sha512", true)]
    [InlineData("?digest-algorithm=sha512", "sha512", false)]
    [InlineData("?digest-algorithm=sha512", "sha512", true)]
    [InlineData("?digest-algorithm=sha512", "sha256", false)]
    [InlineData("?digest-algorithm=sha512", "sha256", true)]
    [InlineData("?digest-algorithm=sha256", "sha512", false)]
    public async Task A_blob_in_chunks_under_either_digest_whichever_was_announced_also_across_a_restart(
        string announced, string name, bool restart)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var (digest, other) = name == "sha512" ? (BlobOf512.Digest, Blob.Digest) : (Blob.Digest, BlobOf512.Digest);
        var location = (await registry.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/{announced}")).Header("Location")!;
        Assert.Equal(202, (await ChunkAsync(registry, "PATCH", location, 0, 2000)).Status);
        if (restart)
        {
            await registry.Mirror.RestartAsync();
        }

        var second = await ChunkAsync(registry, "PATCH", location, 2000, 5000);
        var ended = await registry.SendAsync("PUT", OwnRegistry.With(location, $"digest={digest}"));

        Assert.Equal((202, "0-4999"), (second.Status, second.Header("Range")));
        Assert.Equal(
            (201, $"/v2/{Repository}/blobs/{digest}", $"{digest}"),
            (ended.Status, ended.Header("Location"), ended.Header("Docker-Content-Digest")));
        await registry.GetExactlyAsync(ended.Header("Location")!, Blob);
        Assert.Equal([digest], registry.Mirror.Published());
        Assert.Equal(404, (await registry.SendAsync("HEAD", $"/v2/{Repository}/blobs/{other}")).Status);
        Assert.Equal(0, registry.Mirror.Staged());
    }

    [Fact]
    public async Task A_blob_in_a_stream_of_unsaid_length()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);

        var streamed = await registry.SendAsync("PATCH", location, Blob.Content, ("Transfer-Encoding", "chunked"));
        var ended = await registry.SendAsync("PUT", OwnRegistry.With(streamed.Header("Location")!, $"digest={Blob.Digest}"));

        Assert.Equal((202, 201), (streamed.Status, ended.Status));
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    [Theory]
    [InlineData("PATCH", 0, 100)]
    [InlineData("PATCH", 3000, 4000)]
    [InlineData("PUT", 3000, 5000)]
    public async Task A_chunk_that_is_not_the_next_one_is_refused_and_the_upload_says_where_it_is(string method, int start, int end)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 2000);

        var refused = await ChunkAsync(registry, method, OwnRegistry.With(location, $"digest={Blob.Digest}"), start, end);
        var status = await registry.SendAsync("GET", location);
        var rest = await ChunkAsync(registry, "PUT", OwnRegistry.With(location, $"digest={Blob.Digest}"), 2000, 5000);

        Assert.Equal((416, "BLOB_UPLOAD_INVALID", "0-1999"), (refused.Status, refused.Error, refused.Header("Range")));
        Assert.Equal((204, "0-1999", location), (status.Status, status.Header("Range"), status.Header("Location")));
        Assert.Equal(201, rest.Status);
    }

    [Fact]
    public async Task A_chunk_whose_lengths_disagree_is_refused()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);

        var answer = await registry.SendAsync("PATCH", location, Blob.Content, ("Content-Range", "0-9"));

        Assert.Equal((400, "SIZE_INVALID"), (answer.Status, answer.Error));
        Assert.Equal("0-0", (await registry.SendAsync("GET", location)).Header("Range"));
    }

    [Fact]
    public async Task An_upload_that_nobody_wants_any_more_is_gone()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 2000);

        Assert.Equal(204, (await registry.SendAsync("DELETE", location)).Status);

        foreach (var method in new[] { "GET", "DELETE", "PATCH", "PUT" })
        {
            var answer = await registry.SendAsync(method, OwnRegistry.With(location, $"digest={Blob.Digest}"));
            Assert.Equal((404, "BLOB_UPLOAD_UNKNOWN"), (answer.Status, answer.Error));
        }

        Assert.Equal(0, registry.Mirror.Staged());
    }

    [Theory]
    [InlineData("POST", DigestAlgorithm.Sha256)]
    [InlineData("PUT", DigestAlgorithm.Sha256)]
    [InlineData("POST", DigestAlgorithm.Sha512)]
    [InlineData("PUT", DigestAlgorithm.Sha512)]
    public async Task What_does_not_have_the_digest_is_refused_and_nothing_of_it_stays(string method, DigestAlgorithm algorithm)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var wrong = $"digest={Digest.Of(algorithm, "other"u8)}";
        var target = method == "POST"
            ? $"/v2/{Repository}/blobs/uploads/?{wrong}"
            : OwnRegistry.With(await registry.BeginAsync(Repository), wrong);

        var answer = await registry.SendAsync(method, target, Blob.Content);

        Assert.Equal((400, "DIGEST_INVALID"), (answer.Status, answer.Error));
        Assert.Contains("did not match uploaded content", Encoding.UTF8.GetString(answer.Body), StringComparison.Ordinal);
        Assert.Empty(registry.Mirror.Published());
        Assert.Equal(0, registry.Mirror.Staged());
    }

    [Theory]
    [InlineData("sha256:baddigest")]
    [InlineData("md5:00")]
    [InlineData("")]
    public async Task A_digest_that_is_none_is_refused(string digest)
    {
        await using var registry = await OwnRegistry.StartAsync();

        var answer = await registry.SendAsync("PUT", OwnRegistry.With(await registry.BeginAsync(Repository), $"digest={digest}"), Blob.Content);

        Assert.Equal((400, "DIGEST_INVALID"), (answer.Status, answer.Error));
    }

    [Theory]
    [InlineData(DigestAlgorithm.Sha256)]
    [InlineData(DigestAlgorithm.Sha512)]
    public async Task A_blob_is_mounted_from_where_it_is_and_from_nowhere_else(DigestAlgorithm algorithm)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var blob = TestBlob.Of(Blob.Content, algorithm: algorithm);
        await registry.PushBlobAsync("team/other", blob);

        var from = await registry.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?mount={blob.Digest}&from=team/other");
        var anonymous = await registry.SendAsync("POST", $"/v2/team/third/blobs/uploads/?mount={blob.Digest}");
        var wrongSource = await registry.SendAsync("POST", $"/v2/team/fourth/blobs/uploads/?mount={blob.Digest}&from=team/empty");
        var nothing = Digest.Of(algorithm, "other"u8);
        var unknown = await registry.SendAsync("POST", $"/v2/team/fourth/blobs/uploads/?mount={nothing}&from=team/other");

        Assert.Equal(
            ($"/v2/{Repository}/blobs/{blob.Digest}", $"{blob.Digest}"),
            (from.Header("Location"), from.Header("Docker-Content-Digest")));
        Assert.Equal((201, 201, 202, 202), (from.Status, anonymous.Status, wrongSource.Status, unknown.Status));
        await registry.GetExactlyAsync($"/v2/{Repository}/blobs/{blob.Digest}", blob);
        await registry.GetExactlyAsync($"/v2/team/third/blobs/{blob.Digest}", blob);
        Assert.Equal(404, (await registry.SendAsync("GET", $"/v2/team/fourth/blobs/{blob.Digest}")).Status);
    }

    [Fact]
    public async Task An_upload_goes_on_after_a_restart_of_the_server()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 2000);

        await registry.Mirror.RestartAsync();
        var status = await registry.SendAsync("GET", location);
        var rest = await ChunkAsync(registry, "PUT", OwnRegistry.With(location, $"digest={Blob.Digest}"), 2000, 5000);

        Assert.Equal("0-1999", status.Header("Range"));
        Assert.Equal(201, rest.Status);
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    [Fact]
    public async Task An_upload_goes_on_after_a_connection_that_broke_or_fell_silent()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        var path = new Uri(registry.Mirror.Url, location).PathAndQuery;
        using var silent = await RawHttp.ConnectAsync(registry.Mirror.Url);
        await silent.SendAsync(RawHttp.Request(registry.Mirror.Url, "PATCH", path, "Content-Length: 5000"));
        await silent.SendAsync(Blob.Content[..2000]);
        await registry.Mirror.StagedAsync(2000);

        var rest = await ChunkAsync(registry, "PUT", OwnRegistry.With(location, $"digest={Blob.Digest}"), 2000, 5000);

        Assert.Equal(201, rest.Status);
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    [Fact]
    public async Task What_an_upload_says_of_itself_stays_so_although_the_connection_before_is_still_there()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        var path = new Uri(registry.Mirror.Url, location).PathAndQuery;
        using var before = await RawHttp.ConnectAsync(registry.Mirror.Url);
        await before.SendAsync(RawHttp.Request(registry.Mirror.Url, "PATCH", path, "Content-Length: 5000"));
        await before.SendAsync(Blob.Content[..2000]);
        await registry.Mirror.StagedAsync(2000);

        var status = await registry.SendAsync("GET", location);
        var end = await Record.ExceptionAsync(async () =>
        {
            await before.SendAsync(Blob.Content[2000..]);
            await before.ReadResponseAsync();
        });
        var again = await registry.SendAsync("GET", location);
        var rest = await ChunkAsync(registry, "PUT", OwnRegistry.With(location, $"digest={Blob.Digest}"), 2000, 5000);

        Assert.True(end is SocketException or EndOfStreamException, $"{end}");
        Assert.Equal(("0-1999", "0-1999", 201), (status.Header("Range"), again.Header("Range"), rest.Status));
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    [Fact]
    public async Task An_upload_that_nobody_has_gone_on_with_for_a_week_is_swept_within_the_hour_and_one_in_use_is_not()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var time = registry.Mirror.Time;
        var left = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", left, 0, 1000);
        time.Advance(TimeSpan.FromMinutes(55));
        var used = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", used, 0, 2000);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(registry.Mirror.DataPath, "staged")))
        {
            File.SetLastWriteTimeUtc(file, time.GetUtcNow().UtcDateTime - TimeSpan.FromDays(7));
        }

        time.Advance(TimeSpan.FromMinutes(5));
        await registry.Mirror.LoggedAsync("Removed 1 staged files");
        var rest = await ChunkAsync(registry, "PUT", OwnRegistry.With(used, $"digest={Blob.Digest}"), 2000, 5000);

        Assert.Equal((404, 201), ((await registry.SendAsync("GET", left)).Status, rest.Status));
        await registry.GetExactlyAsync(BlobPath, Blob);
        Assert.Equal(0, registry.Mirror.Staged());
    }

    [Fact]
    public async Task An_upload_that_rests_for_less_than_a_week_is_gone_on_with()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var time = registry.Mirror.Time;
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 2000);
        var staged = Path.Combine(registry.Mirror.DataPath, "staged");
        File.SetLastWriteTimeUtc(Assert.Single(Directory.EnumerateFiles(staged)), time.GetUtcNow().UtcDateTime - TimeSpan.FromDays(6));
        await File.WriteAllTextAsync(Path.Combine(staged, "left"), "of no use to anybody");

        time.Advance(TimeSpan.FromHours(1));
        await registry.Mirror.LoggedAsync("Removed 1 staged files");
        var rest = await ChunkAsync(registry, "PUT", OwnRegistry.With(location, $"digest={Blob.Digest}"), 2000, 5000);

        Assert.Equal(201, rest.Status);
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    [Fact]
    public async Task An_upload_that_the_disk_refused_to_publish_is_finished_when_it_no_longer_does()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 5000);
        var inTheWay = Path.GetDirectoryName(new StoreLayout(registry.Mirror.DataPath).Blob(Blob.Digest))!;
        await File.WriteAllTextAsync(inTheWay, "where the folder should be");
        var put = OwnRegistry.With(location, $"digest={Blob.Digest}");

        var refused = await registry.SendAsync("PUT", put);
        File.Delete(inTheWay);
        var ended = await registry.SendAsync("PUT", put);

        Assert.Equal((503, 201), (refused.Status, ended.Status));
        await registry.GetExactlyAsync(BlobPath, Blob);
        Assert.Equal(0, registry.Mirror.Staged());
    }

    [Fact]
    public async Task An_upload_that_a_crash_left_read_only_is_its_owners_to_write_again_and_goes_on()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 2000);
        var staged = Assert.Single(Directory.GetFiles(Path.Combine(registry.Mirror.DataPath, "staged")));
        await registry.Mirror.RestartAsync(() => File.SetUnixFileMode(staged, UnixFileMode.UserRead | UnixFileMode.GroupRead));

        var next = await ChunkAsync(registry, "PATCH", location, 2000, 4000);
        var mode = File.GetUnixFileMode(staged);
        var last = await ChunkAsync(registry, "PUT", OwnRegistry.With(location, $"digest={Blob.Digest}"), 4000, 5000);

        Assert.Equal((202, UnixFileMode.UserRead | UnixFileMode.UserWrite, 201), (next.Status, mode, last.Status));
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    [Theory]
    [InlineData(DigestAlgorithm.Sha256)]
    [InlineData(DigestAlgorithm.Sha512)]
    public async Task What_a_write_that_the_disk_refused_has_left_behind_the_end_is_not_published(DigestAlgorithm algorithm)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var blob = TestBlob.Of(Blob.Content, algorithm: algorithm);
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 5000);
        var staged = Assert.Single(Directory.GetFiles(Path.Combine(registry.Mirror.DataPath, "staged")));
        await using (var torn = new FileStream(staged, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            await torn.WriteAsync(new byte[700]);
        }

        var ended = await registry.SendAsync("PUT", OwnRegistry.With(location, $"digest={blob.Digest}"));

        Assert.Equal(201, ended.Status);
        await registry.GetExactlyAsync($"/v2/{Repository}/blobs/{blob.Digest}", blob);
    }

    [SecondDiskFact]
    public async Task What_can_not_be_renamed_into_its_place_is_not_copied_there()
    {
        await using var registry = await OwnRegistry.StartAsync();
        using var other = new SecondDisk();
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 5000);
        var folder = Path.GetDirectoryName(new StoreLayout(registry.Mirror.DataPath).Blob(Blob.Digest))!;
        File.CreateSymbolicLink(folder, other.Path);
        var put = OwnRegistry.With(location, $"digest={Blob.Digest}");

        var refused = await registry.SendAsync("PUT", put);
        var copied = Directory.GetFiles(other.Path);
        File.Delete(folder);
        var ended = await registry.SendAsync("PUT", put);

        Assert.Equal((503, 201), (refused.Status, ended.Status));
        Assert.Empty(copied);
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_upload_without_any_bytes_yet_goes_on_after_a_restart_or_a_rest(bool restart)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        if (restart)
        {
            await registry.Mirror.RestartAsync();
        }
        else
        {
            registry.Mirror.Time.Advance(TimeSpan.FromMinutes(11));
            await registry.BeginAsync("team/other");
        }

        var status = await registry.SendAsync("GET", location);
        var all = await ChunkAsync(registry, "PUT", OwnRegistry.With(location, $"digest={Blob.Digest}"), 0, 5000);

        Assert.Equal((204, "0-0", 201), (status.Status, status.Header("Range"), all.Status));
        await registry.GetExactlyAsync(BlobPath, Blob);
    }

    [Theory]
    [InlineData("PATCH")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task An_upload_whose_file_has_gone_is_unknown_and_does_not_begin_again(string method)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 2000);
        await registry.Mirror.RestartAsync();
        Assert.Equal(204, (await registry.SendAsync("GET", location)).Status);
        File.Delete(Assert.Single(Directory.GetFiles(Path.Combine(registry.Mirror.DataPath, "staged"))));

        var answer = await registry.SendAsync(method, OwnRegistry.With(location, $"digest={Blob.Digest}"), Blob.Content);

        Assert.Equal((404, "BLOB_UPLOAD_UNKNOWN"), (answer.Status, answer.Error));
        Assert.Equal(404, (await registry.SendAsync("GET", location)).Status);
        Assert.Equal(0, registry.Mirror.Staged());
    }

    [Fact]
    public async Task Who_has_lost_the_answer_to_a_finished_upload_is_told_again()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);
        await ChunkAsync(registry, "PATCH", location, 0, 5000);
        var put = OwnRegistry.With(location, $"digest={Blob.Digest}");
        Assert.Equal(201, (await registry.SendAsync("PUT", put)).Status);

        var again = await registry.SendAsync("PUT", put);
        var other = await registry.SendAsync("PUT", put.Replace(Repository, "team/other", StringComparison.Ordinal));

        Assert.Equal((201, BlobPath, Blob.Digest.ToString()), (again.Status, again.Header("Location"), again.Header("Docker-Content-Digest")));
        Assert.Equal((404, "BLOB_UPLOAD_UNKNOWN"), (other.Status, other.Error));
    }

    [Fact]
    public async Task Uploads_that_the_database_refused_are_over_and_pushing_them_again_succeeds_when_it_no_longer_does()
    {
        await using var registry = await OwnRegistry.StartAsync();
        using (var session = new SqlSession(new StoreLayout(registry.Mirror.DataPath).Database, readOnly: false))
        {
            session.Execute("CREATE TRIGGER refusal BEFORE INSERT ON blobs BEGIN SELECT RAISE(ROLLBACK, 'as the test wants it'); END");
            var location = await registry.BeginAsync(Repository);
            await ChunkAsync(registry, "PATCH", location, 0, 5000);
            var put = OwnRegistry.With(location, $"digest={Blob.Digest}");
            Assert.Equal((503, 404), ((await registry.SendAsync("PUT", put)).Status, (await registry.SendAsync("PUT", put)).Status));
            for (var i = 0; i < Uploads.MaxPerClient; i++)
            {
                var answer = await registry.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?digest={Blob.Digest}", Blob.Content);
                Assert.Equal(503, answer.Status);
            }

            session.Execute("DROP TRIGGER refusal");
        }

        await registry.PushBlobAsync(Repository, Blob);

        await registry.GetExactlyAsync(BlobPath, Blob);
        Assert.Equal(0, registry.Mirror.Staged());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_blob_in_one_request_that_breaks_off_leaves_nothing(bool byReset)
    {
        await using var registry = await OwnRegistry.StartAsync();
        var target = $"/v2/{Repository}/blobs/uploads/?digest={Blob.Digest}";
        using var broken = await RawHttp.ConnectAsync(registry.Mirror.Url);
        await broken.SendAsync(RawHttp.Request(registry.Mirror.Url, "POST", target, "Content-Length: 5000"));
        await broken.SendAsync(Blob.Content[..2000]);
        await registry.Mirror.StagedAsync(2000);

        if (byReset)
        {
            broken.Reset();
        }
        else
        {
            await registry.Mirror.Time.TimerArmed(TimeSpan.FromMinutes(1));
            registry.Mirror.Time.Advance(TimeSpan.FromMinutes(1));
        }

        await Poll.UntilAsync(() => registry.Mirror.Staged() == 0, "what broke off stays staged");
        await registry.PushBlobAsync(Repository, Blob);
        Assert.DoesNotContain(registry.Mirror.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_blob_in_one_request_that_the_disk_refuses_leaves_nothing_staged()
    {
        await using var registry = await OwnRegistry.StartAsync();
        await File.WriteAllTextAsync(
            Path.GetDirectoryName(new StoreLayout(registry.Mirror.DataPath).Blob(Blob.Digest))!, "where the folder should be");

        var answer = await registry.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?digest={Blob.Digest}", Blob.Content);

        Assert.Equal((503, 0), (answer.Status, registry.Mirror.Staged()));
    }

    [Fact]
    public async Task An_upload_of_one_repository_is_none_of_another()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var location = await registry.BeginAsync(Repository);

        var answer = await registry.SendAsync("GET", location.Replace(Repository, "team/other", StringComparison.Ordinal));

        Assert.Equal((404, "BLOB_UPLOAD_UNKNOWN"), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task Sixteen_clients_push_one_blob_and_it_is_stored_once()
    {
        await using var registry = await OwnRegistry.StartAsync();

        await Task.WhenAll(Enumerable.Range(0, 16).Select(number => registry.PushBlobAsync($"team/app-{number}", Blob)));

        Assert.Equal([Blob.Digest], registry.Mirror.Published());
        Assert.Equal(0, registry.Mirror.Staged());
        await registry.GetExactlyAsync($"/v2/team/app-15/blobs/{Blob.Digest}", Blob);
    }

    private static Task<PushAnswer> ChunkAsync(OwnRegistry registry, string method, string location, int start, int end) =>
        registry.SendAsync(method, location, Blob.Content[start..end], ("Content-Range", $"{start}-{end - 1}"));
}
