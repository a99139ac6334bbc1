using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>What pulling a blob over and over costs.</summary>
public sealed class FileSendingTests
{
    private const int Blocks = 16;

    private static readonly TestBlob Layer = TestBlob.Create(Blocks * 256 * 1024, seed: 8);

    [FactWith("strace", Traces = true, AsksForPages = true)]
    public async Task A_blob_that_was_checked_a_moment_ago_is_sent_by_the_kernel_and_read_no_more()
    {
        var calls = await PullAsync(failing: null);

        Assert.Equal(Blocks, calls.Count(call => call.Name == "pread64"));
        Assert.InRange(calls.Count(call => call.Name == "sendfile"), 4, 1000);
    }

    [FactWith("strace", "dd", Traces = true, AsksForPages = true)]
    public async Task What_has_to_come_from_the_disk_again_is_checked_again()
    {
        var calls = await PullAsync(
            failing: null, between: file => Command.RunAsync("dd", [$"if={file}", "iflag=nocache", "count=0"]));

        Assert.Equal(5 * Blocks, calls.Count(call => call.Name == "pread64"));
        Assert.DoesNotContain(calls, call => call.Name == "sendfile");
    }

    [FactWith("strace", Traces = true)]
    public async Task What_the_file_system_or_the_disk_does_not_let_the_kernel_send_is_read()
    {
        var never = await PullAsync(failing: "sendfile:error=EINVAL");
        var inTheMiddle = await PullAsync(failing: "sendfile:error=EIO:when=2+2");
        var shorter = await PullAsync(failing: "sendfile:retval=0:when=2+2");

        Assert.All([never, inTheMiddle, shorter], calls => Assert.InRange(calls.Count(call => call.Name == "pread64"), Blocks + 1, 5 * Blocks));
    }

    /// <summary>What a blob's file goes through while it is pushed once and pulled five times.</summary>
    private static async Task<IReadOnlyList<SystemCall>> PullAsync(string? failing, Func<string, Task>? between = null)
    {
        using var folder = new TemporaryDirectory();
        await using var mirror = await MirrorProcess.StartAloneAsync(trace: folder.Combine("calls"), failing: failing);
        using (var pusher = new HttpPusher(mirror.Url))
        {
            await pusher.PushBlobAsync("team/app", Layer);
        }

        using (var http = new HttpClient { BaseAddress = mirror.Url })
        {
            for (var i = 0; i < 5; i++)
            {
                Assert.Equal(Layer.Content.ToArray(), await http.GetByteArrayAsync($"/v2/team/app/blobs/{Layer.Digest}"));
                await (between?.Invoke(Assert.Single(mirror.PublishedFiles()).File) ?? Task.CompletedTask);
            }
        }

        mirror.Terminate();
        await mirror.ExitedAsync();

        var (_, file) = Assert.Single(mirror.PublishedFiles());
        return [.. (await SystemCalls.ReadAsync(folder.Combine("calls"))).Where(call => SystemCalls.IsOf(call, file))];
    }
}
