using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>What a push's answer promises is on the disk before it, in an order in which no power failure leaves half of it.</summary>
public sealed class DurabilityTests
{
    private const string Repository = "team/app";

    private static readonly TestImage Image = TestImage.Create(layers: 1, layerSize: 300_000, seed: 6);

    [FactWith("strace", Traces = true)]
    public async Task File_folder_journal_and_database_are_on_the_disk_in_this_order_before_the_answer_leaves()
    {
        using var folder = new TemporaryDirectory();
        await using var mirror = await MirrorProcess.StartAloneAsync(trace: folder.Combine("calls"));
        using (var pusher = new HttpPusher(mirror.Url))
        {
            await pusher.PushAsync(Repository, Image, "1.0");
        }

        mirror.Terminate();
        await mirror.ExitedAsync();

        var calls = await SystemCalls.ReadAsync(folder.Combine("calls"));
        AssertOrder(calls, Image.Layer.Digest, mirror.DataPath);
        AssertOrder(calls, Image.Digest, mirror.DataPath);
    }

    [FactWith("strace", Traces = true)]
    public async Task New_folders_are_on_the_disk_before_anything_is_in_them()
    {
        using var folder = new TemporaryDirectory();
        await using var mirror = await MirrorProcess.StartAloneAsync(trace: folder.Combine("calls"));
        using (var pusher = new HttpPusher(mirror.Url))
        {
            await pusher.PushBlobAsync(Repository, Image.Layer);
        }

        mirror.Terminate();
        await mirror.ExitedAsync();

        var calls = await SystemCalls.ReadAsync(folder.Combine("calls"));
        var published = Published(calls, Image.Layer.Digest);
        var blob = Path.Combine(mirror.DataPath, "blobs", "sha256", Image.Layer.Digest.Hex[..2]);
        for (var path = blob; path.Length >= mirror.DataPath.Length; path = Path.GetDirectoryName(path)!)
        {
            var made = Assert.Single(calls, call => IsCreation(call, path));
            var above = Path.GetDirectoryName(path)!;
            Assert.Contains(calls, call => IsFlush(call, above) && call.Began > made.Ended && call.Ended < published.Began);
        }
    }

    [FactWith("strace", Traces = true)]
    public async Task A_layer_is_received_and_written_in_large_pieces()
    {
        using var folder = new TemporaryDirectory();
        var layer = TestBlob.Create(4 * 1024 * 1024, seed: 7);
        await using var mirror = await MirrorProcess.StartAloneAsync(trace: folder.Combine("calls"));
        using (var pusher = new HttpPusher(mirror.Url))
        {
            await pusher.PushBlobAsync(Repository, layer);
        }

        mirror.Terminate();
        await mirror.ExitedAsync();

        var calls = await SystemCalls.ReadAsync(folder.Combine("calls"));
        var staged = Published(calls, layer.Digest).Arguments.Split('"')[1];
        // 64 of 64 KiB, if each receive finds as much; the web server's own way would be 1024 of 4 KiB.
        Assert.InRange(calls.Count(call => IsWrite(call, staged)), 1, 256);
    }

    private static void AssertOrder(IReadOnlyList<SystemCall> calls, Digest digest, string data)
    {
        var journal = Path.Combine(data, "refs.log");
        var log = Path.Combine(data, "mirror.db-wal");
        var published = Published(calls, digest);
        var staged = published.Arguments.Split('"')[1];
        var answered = calls.First(call => call.Name is "sendto" or "sendmsg"
            && call.Began > published.Ended && call.Arguments.Contains("HTTP/1.1 201", StringComparison.Ordinal));

        var written = calls.Last(call => IsWrite(call, staged));
        var flushed = After(written, call => IsFlush(call, staged));
        AssertBefore(flushed, published);
        var folder = After(published, call => IsFlush(call, Path.Combine(data, "blobs", "sha256", digest.Hex[..2])));
        var noted = After(folder, call => IsWrite(call, journal));
        var kept = After(noted, call => IsFlush(call, journal));
        var recorded = After(kept, call => IsWrite(call, log));
        var committed = After(recorded, call => IsFlush(call, log));
        AssertBefore(committed, answered);
        // Nothing of it is in the journal or the database before its time, and nothing is written later.
        Assert.DoesNotContain(Between(published, folder), call => IsWrite(call, journal) || IsWrite(call, log));
        Assert.DoesNotContain(Between(folder, kept), call => IsWrite(call, log));
        Assert.DoesNotContain(Between(committed, answered), call => IsWrite(call, journal) || IsWrite(call, log));

        SystemCall After(SystemCall earlier, Func<SystemCall, bool> wanted) =>
            calls.First(call => call.Began > earlier.Ended && wanted(call));

        IEnumerable<SystemCall> Between(SystemCall earlier, SystemCall later) =>
            calls.Where(call => call.Began > earlier.Ended && call.Ended < later.Began);
    }

    /// <summary>The rename that makes content visible.</summary>
    private static SystemCall Published(IReadOnlyList<SystemCall> calls, Digest digest) => Assert.Single(calls, call =>
        call.Name.StartsWith("rename", StringComparison.Ordinal) && call.Arguments.Contains($"/{digest.Hex}\"", StringComparison.Ordinal));

    private static void AssertBefore(SystemCall earlier, SystemCall later) =>
        Assert.True(earlier.Ended < later.Began, $"{earlier} is not before {later}");

    private static bool IsCreation(SystemCall call, string folder) =>
        call.Name == "mkdir" && call.Arguments.StartsWith($"\"{folder}\"", StringComparison.Ordinal);

    private static bool IsFlush(SystemCall call, string path) => call.Name is "fsync" or "fdatasync" && SystemCalls.IsOf(call, path);

    private static bool IsWrite(SystemCall call, string path) => call.Name is "pwrite64" or "pwritev" && SystemCalls.IsOf(call, path);
}
