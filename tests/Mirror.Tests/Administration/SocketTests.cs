using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Mirror.Administration;
using Mirror.Commands;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Administration;

public sealed class SocketTests
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    [Fact]
    public async Task The_socket_is_its_owners_alone_from_the_moment_that_it_exists_and_goes_with_its_server()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        Directory.CreateDirectory(scene.DataPath);
        using (var bound = AdministrationSocket.Bind(scene.DataPath))
        {
            Assert.Equal(Path.Combine(scene.DataPath, "mirror.sock"), bound.Path);
            Assert.Equal(OwnerOnly, File.GetUnixFileMode(bound.Path));
        }

        await scene.ServeAsync();
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(scene.SocketPath));
        await scene.StopServingAsync();
        Assert.False(File.Exists(scene.SocketPath));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_killed_server_has_left_hinders_neither_a_server_nor_a_command(bool serving)
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        Directory.CreateDirectory(scene.DataPath);
        LeaveSocket(scene.SocketPath);
        if (serving)
        {
            await scene.ServeAsync();
        }

        Assert.Equal(new CommandRun(0, $"No image is cached in {scene.DataPath}.\n", ""), await scene.RunAsync("images"));
        Assert.Equal(serving, File.Exists(scene.SocketPath));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_data_path_that_is_too_long_for_a_socket_has_it_all_the_same(bool serving)
    {
        await using var scene = await CommandScene.StartAsync(serving, data: new string('d', 120));
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(), "3.20");
        if (serving)
        {
            Assert.Equal(OwnerOnly, File.GetUnixFileMode(Path.Combine(scene.DataPath, "mirror.sock")));
            Assert.Equal(200, (await scene.GetAsync("/v2/")).Status);
        }

        Assert.Equal(0, (await scene.RunAsync("warm", "alpine:3.20")).Code);
        Assert.Equal(serving, File.Exists(Path.Combine(scene.DataPath, "mirror.sock")));
    }

    [Theory]
    [InlineData(1000, 1000, true)]
    [InlineData(1000, 1001, false)]
    [InlineData(0, 1000, false)]
    [InlineData(1000, 0, true)]
    public void Whoever_listens_at_the_socket_is_believed_only_by_its_own_user_and_by_root(uint peer, uint self, bool believed) =>
        Assert.Equal(believed, SocketPeer.IsTrusted(peer, self));

    [Fact]
    public async Task The_internal_API_is_not_served_to_clients_nor_the_registry_over_the_socket()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);
        scene.Upstream.Add(CommandScene.Repository, TestImage.Create(), "3.20");

        foreach (var path in new[] { "/usage", "/images", "/warm", "/refresh", "/remove" })
        {
            var get = await RawHttp.SendAsync(scene.Url, $"GET {path} HTTP/1.1\r\nHost: mirror\r\n\r\n");
            var post = await RawHttp.SendAsync(scene.Url, $"POST {path} HTTP/1.1\r\nHost: mirror\r\nContent-Length: 2\r\n\r\n{{}}");
            Assert.Equal((404, 404), (get.Status, post.Status));
        }

        foreach (var path in new[] { "/v2/", "/v2/library/alpine/manifests/3.20", "/v2/_catalog", "/healthz", "/readyz", "/docker.io/v2/" })
        {
            Assert.Equal(404, (await scene.AskSocketAsync("GET", path)).Status);
        }

        Assert.Equal(200, (await scene.AskSocketAsync("GET", "/usage")).Status);
        Assert.Empty(scene.Upstream.Requests);
    }

    [Theory]
    [InlineData("POST", "/warm", "", 400)]
    [InlineData("POST", "/warm", "null", 400)]
    [InlineData("POST", "/warm", "[]", 400)]
    [InlineData("POST", "/warm", "{}", 400)]
    [InlineData("POST", "/warm", "{\"images\":[]}", 400)]
    [InlineData("POST", "/warm", "{\"images\":[null]}", 400)]
    [InlineData("POST", "/warm", "{\"images\":\"alpine\"}", 400)]
    [InlineData("POST", "/warm", "{\"images\":[\"../../etc/passwd\"]}", 400)]
    [InlineData("POST", "/warm", "{\"images\":[\"\\ud800\"]}", 400)]
    [InlineData("POST", "/warm", "{\"images\":[\"alpine\"],\"platforms\":[null]}", 400)]
    [InlineData("POST", "/warm", "{\"images\":[\"alpine\"],\"platforms\":[\"//\"]}", 400)]
    [InlineData("POST", "/refresh", "{\"images\":[\"a b\"]}", 400)]
    [InlineData("POST", "/refresh", "\u0000", 400)]
    [InlineData("POST", "/remove", "{\"images\":[\"alpine\"]}", 400)]
    [InlineData("POST", "/remove", "{\"images\":[\"alpine:1\"],\"all\":true}", 400)]
    [InlineData("GET", "/remove", "", 405)]
    [InlineData("POST", "/usage", "{}", 405)]
    [InlineData("DELETE", "/images", "", 405)]
    [InlineData("GET", "/warm", "", 405)]
    [InlineData("GET", "/../etc/passwd", "", 404)]
    [InlineData("GET", "/nope", "", 404)]
    [InlineData("GET", "/images?pattern=%00%FF%5C*[", "", 200)]
    public async Task Whatever_the_internal_API_is_asked_it_answers_with_a_sentence(string method, string path, string body, int expected)
    {
        await using var scene = await CommandScene.StartAsync(serving: true);

        var (status, answer) = await scene.AskSocketAsync(method, path, body);

        Assert.Equal(expected, status);
        AssertSentence(scene, answer, expected);
    }

    [Fact]
    public async Task A_request_that_is_too_large_or_nested_too_deeply_is_refused()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);

        var large = await scene.AskSocketAsync("POST", "/warm", $"{{\"images\":[\"{new string('a', 9 * 1024 * 1024)}\"]}}");
        var many = await scene.AskSocketAsync("POST", "/warm", $"{{\"images\":[{string.Join(',', Enumerable.Repeat("\"a\"", 10_001))}]}}");
        var deep = await scene.AskSocketAsync("POST", "/refresh", $"{{\"images\":{new string('[', 5000)}");

        Assert.Equal((413, 400, 400), (large.Status, many.Status, deep.Status));
        AssertSentence(scene, large.Body, 413);
        AssertSentence(scene, many.Body, 400);
        AssertSentence(scene, deep.Body, 400);
    }

    [Fact]
    public async Task A_digest_that_is_refreshed_over_the_socket_is_said_to_make_no_sense()
    {
        await using var scene = await CommandScene.StartAsync(serving: true);

        var (status, answer) = await scene.AskSocketAsync("POST", "/refresh", $"{{\"images\":[\"alpine@sha256:{new string('a', 64)}\"]}}");

        Assert.Equal(200, status);
        Assert.Contains("a digest is always the same", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_in_use_by_somebody_who_does_not_answer_is_left_alone_and_said()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        await using var held = Store.Open(scene.DataPath, TimeProvider.System);
        var time = new ManualTime { ShortWait = TimeSpan.FromSeconds(1) };

        var failure = await Assert.ThrowsAsync<StoreException>(
            () => ServerSession.OpenAsync(scene.Configuration(), time, CancellationToken.None));

        var expected = $"{scene.DataPath} is in use by another process, but nobody answers at the socket {scene.SocketPath}";
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_ends_between_two_words_is_no_reason_to_fail()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        Directory.CreateDirectory(scene.DataPath);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ending = Task.Run(async () =>
        {
            using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            server.Bind(new UnixDomainSocketEndPoint(scene.SocketPath));
            server.Listen();
            started.SetResult();
            using (var greeted = await server.AcceptAsync())
            {
                await greeted.ReceiveAsync(new byte[4096]);
                await greeted.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray());
            }

            using var left = await server.AcceptAsync();
            // Takes the file with it, which must not be the next server's.
            server.Dispose();
        });
        await started.Task;

        Assert.Equal(new CommandRun(0, $"No image is cached in {scene.DataPath}.\n", ""), await scene.RunAsync("images"));
        await ending;
    }

    [Fact]
    public async Task What_a_server_says_can_not_steer_the_terminal()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        Directory.CreateDirectory(scene.DataPath);
        var image = new ListedImage("\u001b[2Jname\u202e:1", "\u009b", "\u001b]0;\u0007", [], 0, 0, 0, 0, true, DateTimeOffset.UnixEpoch);
        var body = JsonSerializer.Serialize(image, Messages.Json.ListedImage);
        using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        server.Bind(new UnixDomainSocketEndPoint(scene.SocketPath));
        server.Listen();
        var answering = Task.Run(async () =>
        {
            using var client = await server.AcceptAsync();
            foreach (var answer in new[] { "", body })
            {
                await client.ReceiveAsync(new byte[4096]);
                await client.SendAsync(Encoding.UTF8.GetBytes(
                    $"HTTP/1.1 200 OK\r\nContent-Length: {Encoding.UTF8.GetByteCount(answer)}\r\n\r\n{answer}"));
            }
        });

        var run = await scene.RunAsync("images");
        await answering;

        Assert.Equal(0, run.Code);
        Assert.DoesNotContain(run.Output, c => c != '\n' && (char.IsControl(c) || char.GetUnicodeCategory(c) == UnicodeCategory.Format));
        Assert.Contains("name", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_directory_that_can_not_be_used_is_a_line_and_exits_with_1()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        await File.WriteAllTextAsync(scene.DataPath, "a file");

        var run = await scene.RunAsync("usage");

        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.StartsWith("mirror: ", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task A_server_that_can_not_make_its_socket_serves_all_the_same()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        Directory.CreateDirectory(Path.Combine(scene.DataPath, "mirror.sock"));

        await scene.ServeAsync();

        Assert.Equal(200, (await scene.GetAsync("/v2/")).Status);
        const string Warning = "Warning Commands such as `mirror images` will not reach this server";
        Assert.Contains(scene.Log.Lines, line => line.StartsWith(Warning, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_command_that_answers_for_itself_waits_for_others_that_found_it()
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        var (first, second) = (TestImage.Create(seed: 1), TestImage.Create(seed: 2));
        scene.Upstream.Add(CommandScene.Repository, first, "1");
        scene.Upstream.Add(CommandScene.Repository, second, "2");
        var (firstGate, secondGate) = (new Gate(), new Gate());
        scene.Upstream.On(HttpMethod.Get, first.Layer.Digest).Do(Behaviour.Stall(firstGate));
        scene.Upstream.On(HttpMethod.Get, second.Layer.Digest).Do(Behaviour.Stall(secondGate));
        await using var printed = new PrintedWriter();

        var host = scene.RunAsync(printed, TextWriter.Null, CancellationToken.None, "warm", "alpine:1");
        await scene.Upstream.Received(HttpMethod.Get, first.Layer.Digest);
        var guest = scene.RunAsync("warm", "alpine:2");
        await scene.Upstream.Received(HttpMethod.Get, second.Layer.Digest);
        firstGate.Open();
        await printed.Line;
        Assert.False(host.IsCompleted);
        secondGate.Open();

        Assert.Equal(0, (await guest).Code);
        Assert.Equal(0, await host);
        Assert.False(File.Exists(scene.SocketPath));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Interrupting_a_command_that_answers_for_another_ends_it_at_once_and_both_say_so(bool waiting)
    {
        await using var scene = await CommandScene.StartAsync(serving: false);
        var (first, second) = (TestImage.Create(seed: 1), TestImage.Create(seed: 2));
        scene.Upstream.Add(CommandScene.Repository, first, "1");
        scene.Upstream.Add(CommandScene.Repository, second, "2");
        var (firstGate, secondGate) = (new Gate(), new Gate());
        scene.Upstream.On(HttpMethod.Get, first.Layer.Digest).Do(Behaviour.Stall(firstGate));
        scene.Upstream.On(HttpMethod.Get, second.Layer.Digest).Do(Behaviour.Stall(secondGate));
        await using var said = new PrintedWriter();
        using var stopping = new CancellationTokenSource();

        var host = scene.RunAsync(TextWriter.Null, said, stopping.Token, "warm", "alpine:1");
        await scene.Upstream.Received(HttpMethod.Get, first.Layer.Digest);
        var guest = scene.RunAsync("warm", "alpine:2");
        await scene.Upstream.Received(HttpMethod.Get, second.Layer.Digest);
        if (waiting)
        {
            firstGate.Open();
            await said.Line;
        }

        await stopping.CancelAsync();

        Assert.Equal(waiting ? 0 : 1, await host);
        Assert.Contains("is broken off: start it again", said.ToString(), StringComparison.Ordinal);
        var broken = await guest;
        Assert.Equal((1, ""), (broken.Code, broken.Output));
        Assert.Contains("broke off", broken.Error, StringComparison.Ordinal);
        firstGate.Open();
        secondGate.Open();
    }

    private static void AssertSentence(CommandScene scene, string answer, int status)
    {
        if (status != 200)
        {
            using var document = JsonDocument.Parse(answer);
            Assert.NotEmpty(document.RootElement.GetProperty("error").GetString()!);
        }

        Assert.DoesNotContain(" at Mirror.", answer, StringComparison.Ordinal);
        Assert.DoesNotContain(scene.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    /// <summary>A socket's file whose process is gone.</summary>
    private static void LeaveSocket(string path)
    {
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Bind(new UnixDomainSocketEndPoint($"{path}.new"));
            File.Move($"{path}.new", path);
        }

        Assert.True(File.Exists(path));
    }
}
