using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>What pulling a blob over and over costs.</summary>
public sealed class FileSendingTests
{
    private const int Blocks = 48;

    private static readonly TestBlob Layer = TestBlob.Create(Blocks * 256 * 1024, seed: 8);

    [FactWith("strace", Traces = true, AsksForPages = true)]
    public async Task A_blob_that_was_checked_a_moment_ago_is_sent_by_the_kernel_and_read_no_more()
    {
        var calls = await PullAsync(failing: null);

        Assert.Equal(Blocks, calls.Count(ReadsBlock));
        Assert.Contains(calls, call => call.Name == "sendfile");
    }

    [FactWith("strace", "dd", Traces = true, AsksForPages = true)]
    public async Task What_has_to_come_from_the_disk_again_is_checked_again()
    {
        var calls = await PullAsync(
            failing: null, between: file => Command.RunAsync("dd", [$"if={file}", "iflag=nocache", "count=0"]));

        Assert.Equal(5 * Blocks, calls.Count(ReadsBlock));
        Assert.DoesNotContain(calls, call => call.Name == "sendfile");
    }

    [FactWith("strace", Traces = true)]
    public async Task What_the_file_system_or_the_disk_does_not_let_the_kernel_send_is_read()
    {
        var never = await PullAsync(failing: "sendfile:error=EINVAL");
        var inTheMiddle = await PullAsync(failing: "sendfile:error=EIO:when=2+2");
        var shorter = await PullAsync(failing: "sendfile:retval=0:when=2+2");

        Assert.All([never, inTheMiddle, shorter], calls => Assert.InRange(calls.Count(ReadsBlock), Blocks + 1, 5 * Blocks));
    }

    /// <summary>Less than a whole block is read where the kernel has no room for more at the moment.</summary>
    private static bool ReadsBlock(SystemCall call) => call.Name == "pread64" && call.Arguments.Contains($", {256 * 1024}, ", StringComparison.Ordinal);

    /// <summary>What a blob's file goes through while it is pushed once and pulled five times.</summary>
    private static async Task<IReadOnlyList<SystemCall>> PullAsync(string? failing, Func<string, Task>? between = null)
    {
        using var folder = new TemporaryDirectory();
        await using var mirror = await MirrorProcess.StartAloneAsync(trace: folder.Combine("calls"), failing: failing);
        using (var pusher = new HttpPusher(mirror.Url))
        {
            await pusher.PushBlobAsync("team/app", Layer);
        }

        // The kernel keeps little for it, so sending has to wait again and again.
        using (var client = await RawHttp.ConnectAsync(mirror.Url, receiveBuffer: 4096))
        {
            for (var i = 0; i < 5; i++)
            {
                await client.SendAsync(RawHttp.Request(mirror.Url, "GET", $"/v2/team/app/blobs/{Layer.Digest}"));
                Assert.Equal(Layer.Content.ToArray(), (await client.ReadResponseAsync()).Body);
                await (between?.Invoke(Assert.Single(mirror.PublishedFiles()).File) ?? Task.CompletedTask);
            }
        }

        mirror.Terminate();
        await mirror.ExitedAsync();

        var (_, file) = Assert.Single(mirror.PublishedFiles());
        return [.. (await SystemCalls.ReadAsync(folder.Combine("calls"))).Where(call => SystemCalls.IsOf(call, file))];
    }
}
