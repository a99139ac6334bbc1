using System.Net;
using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

public sealed class BlobPushTests
{
    private const int MiB = 1024 * 1024;

    private static readonly TestBlob Large = TestBlob.Create(3 * MiB, seed: 5);

    private static RepositoryName Target { get; } = RepositoryName.Parse("team/copy");

    [Theory]
    [InlineData(0, "POST PUT")]
    [InlineData(1000, "POST PUT")]
    [InlineData(MiB, "POST PUT")]
    [InlineData(MiB + 1, "POST PATCH PUT")]
    public async Task A_blob_is_sent_once_and_in_one_stream(int size, string expected)
    {
        await using var scene = await RemoteScene.StartAsync();
        var blob = TestBlob.Create(size, seed: 7);

        Assert.Equal(size, (await PushedAsync(scene, blob)).Sent);

        Assert.Equal(blob.Content.ToArray(), scene.Registry.FindBlob(Target, blob.Digest)!.Content.ToArray());
        Assert.Equal(expected, MethodsOf(scene));
        Assert.All(scene.Registry.Requests, request => Assert.Null(request.Header("Content-Range")));
    }

    [Theory]
    [InlineData("path")]
    [InlineData("absolute")]
    [InlineData("relative")]
    [InlineData("scheme")]
    public async Task An_upload_goes_on_where_the_registry_says_byte_for_byte(string form)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.Pushing = new PushOptions
        {
            Location = path => form switch
            {
                "absolute" => $"http://{scene.Registry.Host}{path}",
                "scheme" => $"//{scene.Registry.Host}{path}",
                // The first answer is to a path with a slash at its end, the others are to the upload's own.
                "relative" => path[(path.IndexOf("upload-", StringComparison.Ordinal))..],
                _ => path,
            },
        };

        await PushedAsync(scene, Large);

        Assert.Equal("POST PATCH PUT", MethodsOf(scene));
    }

    [Fact]
    public async Task An_upload_that_leads_to_another_host_shows_it_no_credentials()
    {
        await using var scene = await RemoteScene.StartAsync("user", "secret");
        scene.Registry.RequireBasic("user", "secret");
        scene.Registry.Pushing = new PushOptions { Location = path => $"http://localhost:{scene.Registry.Url.Port}{path}" };

        Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await PushAsync(scene, Large)));

        var elsewhere = scene.Registry.Requests.Where(request => request.Header("Host")!.StartsWith("localhost", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(elsewhere);
        Assert.All(elsewhere, request => Assert.Null(request.Header("Authorization")));
    }

    [Theory]
    [InlineData("ftp://127.0.0.1/upload")]
    [InlineData("http://user:secret@127.0.0.1/upload")]
    [InlineData("/v2/with space")]
    [InlineData("")]
    public async Task A_location_that_leads_nowhere_is_a_failure_that_says_so(string location)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.Pushing = new PushOptions { Location = _ => location };

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await PushAsync(scene, Large)));

        Assert.Contains(failure.Reason, new[] { UnavailableReason.Forbidden, UnavailableReason.BadAnswer });
        Assert.Equal("POST", MethodsOf(scene));
    }

    [Fact]
    public async Task A_location_without_encryption_is_not_followed_from_a_registry_with_it()
    {
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("127.0.0.1");
        await using var scene = await RemoteScene.StartAsync(
            options => options with { CertificateAuthorities = authority.Certificates }, certificate);
        scene.Registry.Pushing = new PushOptions { Location = path => $"http://{scene.Registry.Host}{path}" };

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await PushAsync(scene, Large)));

        Assert.Equal(UnavailableReason.Forbidden, failure.Reason);
        Assert.Equal("POST", MethodsOf(scene));
    }

    [Fact]
    public async Task What_breaks_off_goes_on_where_the_registry_stands()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Patch).Times(1).Do(Behaviour.DropAfter(2_000_000));
        var source = new PushSource(Large);

        await PushedAsync(scene, Large, source);

        Assert.Equal("POST PATCH GET PATCH PUT", MethodsOf(scene));
        Assert.Equal($"2000000-{Large.Size - 1}", Requests(scene, HttpMethod.Patch)[1].Header("Content-Range"));
        Assert.Equal(Large.Size, Requests(scene, HttpMethod.Patch).Sum(request => request.Received.Length));
        Assert.Equal(Large.Content.ToArray(), scene.Registry.FindBlob(Target, Large.Digest)!.Content.ToArray());
    }

    [Fact]
    public async Task An_upload_that_the_registry_has_forgotten_begins_again()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(request =>
        {
            var isStatus = request.Method == HttpMethod.Get;
            if (isStatus)
            {
                scene.Registry.ForgetUploads();
            }

            return false;
        }).Do();
        scene.Registry.On(HttpMethod.Patch).Times(1).Do(Behaviour.DropAfter(MiB));

        await PushedAsync(scene, Large);

        Assert.Equal("POST PATCH GET POST PATCH PUT", MethodsOf(scene));
    }

    [Theory]
    [InlineData(408)]
    [InlineData(416)]
    public async Task An_upload_that_is_refused_for_its_next_bytes_is_still_there_whatever_code_says_so(int status)
    {
        await using var scene = await RemoteScene.StartAsync(options => options with { UploadChunk = MiB });
        scene.Registry.On(request => request.Method == HttpMethod.Patch && request.Header("Content-Range") == $"{MiB}-{(2 * MiB) - 1}")
            .Times(1).Do(Behaviour.RefuseUnread(status, """{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"not now"}]}"""));

        Assert.Equal(Large.Size, (await PushedAsync(scene, Large)).Sent);

        Assert.Equal("POST PATCH PATCH GET PATCH PATCH PUT", MethodsOf(scene));
    }

    [Fact]
    public async Task An_upload_at_whose_mention_the_registry_fails_holds_its_blob_up_for_no_longer_than_some_tries()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Time.ShortWait = TimeSpan.FromSeconds(8);
        RemoteUpload? stuck = null;
        scene.Registry.On(HttpMethod.Put).Do(Behaviour.Status(403));
        await PushAsync(scene, Large, reached: upload => stuck = upload);
        scene.Registry.Behave();
        scene.Registry.ClearRequests();
        scene.Registry.On(request => $"{scene.Registry.Url}".TrimEnd('/') + request.Target == stuck!.Location)
            .Do(Behaviour.RefuseUnread(500));

        await PushedAsync(scene, Large, begun: stuck);

        Assert.Matches("^(GET )+POST (GET )+PATCH PUT$", MethodsOf(scene));
        Assert.Equal(Large.Content.ToArray(), scene.Registry.FindBlob(Target, Large.Digest)!.Content.ToArray());
    }

    [Theory]
    [InlineData(8)]
    [InlineData(10)]
    [InlineData(12)]
    public async Task A_registry_that_fails_for_a_while_goes_on_with_the_upload_that_it_has(int failures)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Time.ShortWait = TimeSpan.FromSeconds(8);
        RemoteUpload? begun = null;
        scene.Registry.On(HttpMethod.Put).Do(Behaviour.RefuseUnread(403));
        await PushAsync(scene, Large, reached: upload => begun = upload);
        scene.Registry.Behave();
        scene.Registry.ClearRequests();
        scene.Registry.On(_ => true).Times(failures).Do(Behaviour.RefuseUnread(500));

        Assert.Equal(0, (await PushedAsync(scene, Large, begun: begun)).Sent);

        Assert.Equal(0, scene.Registry.UploadsInProgress);
    }

    [Fact]
    public async Task A_registry_that_can_finish_no_upload_gets_the_blob_no_more_than_twice()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Time.ShortWait = TimeSpan.FromSeconds(8);
        scene.Registry.On(request => request.Method == HttpMethod.Put || (request.Method == HttpMethod.Get && request.Path.Contains("/uploads/", StringComparison.Ordinal)))
            .Do(Behaviour.RefuseUnread(500));

        Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await PushAsync(scene, Large)));

        Assert.InRange(scene.Registry.Requests.Count(request => request.Method == HttpMethod.Patch), 1, 2);
    }

    [Fact]
    public async Task A_registry_that_forgets_every_upload_is_given_up()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Patch).Do(Behaviour.RefuseUnread(404, """{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"""));

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await PushAsync(scene, Large)));

        Assert.Contains("has lost the upload", failure.Why, StringComparison.Ordinal);
    }

    public static TheoryData<string, Behaviour> Faults => new()
    {
        { "before anything is done", Behaviour.RefuseUnread(500) },
        { "after it was done", Behaviour.Status(500) },
        { "without an answer", Behaviour.HangUp },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_registry_that_fails_every_third_time_has_everything_in_the_end(string when, Behaviour fault)
    {
        await using var scene = await RemoteScene.StartAsync(options => options with { UploadChunk = MiB });
        scene.Registry.On(request => request.Number % 3 == 0).Do(fault);

        for (var seed = 1; seed <= 6; seed++)
        {
            var blob = TestBlob.Create(2 * MiB + seed, seed);
            await PushedAsync(scene, blob);
            Assert.True(blob.Content.Span.SequenceEqual(scene.Registry.FindBlob(Target, blob.Digest)!.Content.Span), when);
        }
    }

    [Theory]
    [InlineData(405)]
    [InlineData(501)]
    public async Task A_registry_that_does_not_know_PATCH_gets_the_blob_with_the_last_request(int status)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Patch).Do(Behaviour.RefuseUnread(status));

        await PushedAsync(scene, Large);

        Assert.Equal("POST PATCH PUT", MethodsOf(scene));
    }

    [Fact]
    public async Task What_is_too_large_for_one_request_is_sent_in_chunks()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(request => request.Method == HttpMethod.Patch && long.Parse(request.Header("Content-Length")!) > MiB)
            .Do(Behaviour.RefuseUnread(413));

        Assert.Equal(Large.Size, (await PushedAsync(scene, Large)).Sent);

        Assert.Equal("POST PATCH PATCH PATCH PATCH PUT", MethodsOf(scene));
    }

    [Fact]
    public async Task What_is_too_large_in_any_chunk_is_refused_as_too_large()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Patch).Do(Behaviour.RefuseUnread(413));

        Assert.Equal(RefusalReason.TooLarge, RefusalOf(await PushAsync(scene, Large)));
    }

    [Fact]
    public async Task Chunks_are_as_large_as_the_registry_wants_them_at_least()
    {
        await using var scene = await RemoteScene.StartAsync(options => options with { UploadChunk = MiB });
        scene.Registry.Pushing = new PushOptions { ChunkMinLength = 2 * MiB };

        await PushedAsync(scene, Large);

        Assert.Equal(
            ["0-2097151", "2097152-3145727"],
            Requests(scene, HttpMethod.Patch).Select(request => request.Header("Content-Range")));
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(3 * MiB)]
    public async Task Content_with_another_digest_is_never_finished_and_nothing_stays_of_it(int size)
    {
        await using var scene = await RemoteScene.StartAsync();
        var other = TestBlob.Of(TestBlob.Bytes(size, seed: 98));
        var promised = TestBlob.Create(size, seed: 99);

        var answer = await PushAsync(scene, promised, new PushSource(other));

        Assert.Equal(RefusalReason.WrongDigest, RefusalOf(answer));
        Assert.Equal(0, scene.Registry.UploadsInProgress);
        Assert.DoesNotContain(Requests(scene, HttpMethod.Put), request => request.IsReceivedWhole);
        Assert.Null(scene.Registry.FindBlob(Target, promised.Digest));
    }

    [Fact]
    public async Task A_blob_that_the_registry_finds_wrong_is_refused()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Put).Do(Behaviour.RefuseUnread(400, """{"errors":[{"code":"DIGEST_INVALID"}]}"""));

        Assert.Equal(RefusalReason.WrongDigest, RefusalOf(await PushAsync(scene, Large)));
        Assert.Equal(0, scene.Registry.UploadsInProgress);
    }

    [Fact]
    public async Task A_registry_that_says_that_it_took_another_blob_is_not_believed()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Put).Do(Behaviour.WrongDigestHeader(Digest.Sha256([1])));

        var failure = Assert.IsType<RemoteFailure.Unavailable>(RemoteScene.FailureOf(await PushAsync(scene, Large)));

        Assert.Equal(UnavailableReason.BadAnswer, failure.Reason);
    }

    [Fact]
    public async Task Another_process_goes_on_with_an_upload_and_sends_only_the_rest()
    {
        await using var scene = await RemoteScene.StartAsync(options => options with { UploadChunk = MiB });
        using var killed = new CancellationTokenSource();
        RemoteUpload? saved = null;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => PushAsync(scene, Large, reached: upload =>
        {
            saved = upload;
            if (upload.Offset == 2 * MiB)
            {
                killed.Cancel();
            }
        }, cancellationToken: killed.Token));
        scene.Registry.ClearRequests();
        using var restarted = new RemoteRegistry(new RemoteRegistryOptions { Name = "upstream", Url = scene.Registry.Url }, scene.Time);

        var answer = await restarted.Uploads.PushAsync(
            Target, Large.Descriptor, new PushSource(Large).OpenAsync, restarted.StartTransfer(TransferPriority.Sync), saved, _ => { }, CancellationToken.None);

        Assert.Equal(MiB, Assert.IsType<RemoteAnswer<PushedBlob>.Found>(answer).Content.Sent);
        Assert.Equal("GET PATCH PUT", MethodsOf(scene));
        Assert.DoesNotContain("state", saved!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_upload_that_an_earlier_process_has_just_finished_is_not_sent_again()
    {
        await using var scene = await RemoteScene.StartAsync();
        RemoteUpload? saved = null;
        await PushAsync(scene, Large, reached: upload => saved = upload);
        scene.Registry.ClearRequests();

        Assert.Equal(0, Assert.IsType<RemoteAnswer<PushedBlob>.Found>(await PushAsync(scene, Large, begun: saved)).Content.Sent);

        Assert.Equal("GET HEAD", MethodsOf(scene));
    }

    [Fact]
    public async Task An_answer_that_was_lost_behind_the_last_byte_costs_no_second_upload()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Put).Times(1).Do(Behaviour.HangUp);

        await PushedAsync(scene, Large);

        Assert.Equal("POST PATCH PUT PUT HEAD", MethodsOf(scene));
    }

    [Fact]
    public async Task A_source_that_breaks_off_is_opened_again_where_it_is_needed()
    {
        await using var scene = await RemoteScene.StartAsync();
        var source = new PushSource(Large) { BreakAt = 2 * MiB, Breaks = 1 };

        await PushedAsync(scene, Large, source);

        Assert.Equal(2, source.Opened.Count);
        Assert.Equal(Large.Content.ToArray(), scene.Registry.FindBlob(Target, Large.Digest)!.Content.ToArray());
    }

    [Fact]
    public async Task A_source_that_breaks_off_for_good_is_the_sources_failure()
    {
        await using var scene = await RemoteScene.StartAsync();
        var source = new PushSource(Large) { BreakAt = 0, Breaks = int.MaxValue };

        var pushing = PushAsync(scene, Large, source);
        foreach (var pause in new[] { 1.6, 3.2, 6.4 }.Select(TimeSpan.FromSeconds))
        {
            await scene.Time.TimerArmed(pause);
            scene.Time.Advance(pause);
        }

        await Assert.ThrowsAsync<IOException>(() => pushing);
        Assert.Null(scene.Registry.FindBlob(Target, Large.Digest));
    }

    [Fact]
    public async Task A_registry_that_wants_to_be_left_alone_is_gone_on_with_then()
    {
        await using var scene = await RemoteScene.StartAsync();
        // As long as no timeout is: a body that is being sent has one too.
        var asked = TimeSpan.FromSeconds(25);
        scene.Registry.On(HttpMethod.Patch).Times(1).Do(Behaviour.RefuseUnread(429, headers: ("Retry-After", $"{asked.TotalSeconds}")));

        var pushing = PushAsync(scene, Large);
        await scene.Time.TimerArmed(asked);
        scene.Time.Advance(asked);

        Assert.IsType<RemoteAnswer<PushedBlob>.Found>(await pushing);
    }

    [Fact]
    public async Task Pushes_wait_for_a_connection_behind_clients()
    {
        await using var scene = await RemoteScene.StartAsync(options => options with { MaxConnections = 1 });
        var running = Assert.IsType<RemoteAnswer<RemoteBlob>.Found>(await scene.OpenLayerAsync()).Content;

        var pushing = PushAsync(scene, Large);
        await scene.Registry.Received(request => request.Method == HttpMethod.Post);
        Assert.False(pushing.IsCompleted);
        Assert.Empty(Requests(scene, HttpMethod.Patch));
        await running.DisposeAsync();

        Assert.IsType<RemoteAnswer<PushedBlob>.Found>(await pushing);
    }

    [Fact]
    public async Task A_blob_of_another_repository_is_mounted()
    {
        await using var scene = await RemoteScene.StartAsync();

        var mounted = await MountAsync(scene);

        Assert.Equal((true, null), (mounted.IsMounted, mounted.Upload));
        Assert.NotNull(scene.Registry.FindBlob(Target, scene.Image.Layer.Digest));
    }

    [Fact]
    public async Task What_is_not_mounted_is_pushed_with_the_upload_that_was_begun_for_it()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.Pushing = new PushOptions { Mounts = false };

        var mounted = await MountAsync(scene);
        Assert.False(mounted.IsMounted);
        await PushedAsync(scene, scene.Image.Layer, begun: mounted.Upload);

        Assert.Equal(0, scene.Registry.UploadsInProgress);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(405)]
    public async Task A_registry_that_does_not_know_mounts_is_no_failure(int status)
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Post).Do(Behaviour.RefuseUnread(status));

        var mounted = await MountAsync(scene);

        Assert.Equal((false, null), (mounted.IsMounted, mounted.Upload));
    }

    [Fact]
    public async Task An_upload_is_given_up_and_one_that_is_gone_is_no_failure()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.Pushing = new PushOptions { Mounts = false };
        var upload = (await MountAsync(scene)).Upload!;

        Assert.Null(await scene.Client.Uploads.CancelAsync(Target, upload, CancellationToken.None));
        Assert.Equal(0, scene.Registry.UploadsInProgress);
        Assert.Null(await scene.Client.Uploads.CancelAsync(Target, upload, CancellationToken.None));
    }

    [Fact]
    public async Task Tokens_that_end_in_the_middle_of_an_upload_are_renewed()
    {
        await using var scene = await RemoteScene.StartAsync(
            options => options with { Credentials = new BasicCredentials("user", "secret"), UploadChunk = MiB });
        scene.Registry.RequireTokens("user", "secret");

        var furthest = -1L;

        var answer = await PushAsync(scene, Large, reached: upload =>
        {
            if (upload.Offset > furthest)
            {
                furthest = upload.Offset;
                scene.Registry.ExpireTokens();
            }
        });

        Assert.Equal(Large.Size, Assert.IsType<RemoteAnswer<PushedBlob>.Found>(answer).Content.Sent);
        Assert.Equal(Large.Content.ToArray(), scene.Registry.FindBlob(Target, Large.Digest)!.Content.ToArray());
    }

    [Fact]
    public async Task A_token_for_a_mount_opens_both_repositories_and_one_for_a_push_only_its_own()
    {
        await using var scene = await RemoteScene.StartAsync("user", "secret");
        scene.Registry.RequireTokens("user", "secret");

        Assert.True((await MountAsync(scene)).IsMounted);
        await PushedAsync(scene, Large);

        var scopes = scene.Registry.Requests.Where(request => request.Path == "/token").Select(request => WebUtility.UrlDecode(request.Query)).ToList();
        Assert.Contains(scopes, query => query.Contains(
            "scope=repository:team/copy:pull,push&scope=repository:org/app:pull", StringComparison.Ordinal));
        Assert.Contains(scopes, query => query.EndsWith("scope=repository:team/copy:pull,push&account=user", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Who_is_denied_every_part_although_the_upload_can_be_asked_for_is_denied_for_good()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.On(HttpMethod.Patch).Do(Behaviour.RefuseUnread(401));

        Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await PushAsync(scene, Large)));
    }

    [Fact]
    public async Task Who_may_not_push_is_denied_and_sends_nothing()
    {
        await using var scene = await RemoteScene.StartAsync();
        scene.Registry.RequireTokens("user", "secret");

        Assert.IsType<RemoteFailure.Denied>(RemoteScene.FailureOf(await PushAsync(scene, Large)));

        Assert.Empty(Requests(scene, HttpMethod.Patch));
    }

    private static string MethodsOf(RemoteScene scene) => string.Join(' ', scene.Registry.Requests.Select(request => request.Method));

    private static IReadOnlyList<RecordedRequest> Requests(RemoteScene scene, HttpMethod method) =>
        [.. scene.Registry.Requests.Where(request => request.Method == method)];

    private static RefusalReason RefusalOf<T>(RemoteAnswer<T> answer) =>
        Assert.IsType<RemoteFailure.Refused>(RemoteScene.FailureOf(answer)).Reason;

    private static async Task<MountedBlob> MountAsync(RemoteScene scene) => Assert.IsType<RemoteAnswer<MountedBlob>.Found>(
        await scene.Client.Uploads.MountAsync(Target, scene.Image.Layer.Digest, RemoteScene.Repository, CancellationToken.None)).Content;

    private static async Task<PushedBlob> PushedAsync(RemoteScene scene, TestBlob blob, PushSource? source = null, RemoteUpload? begun = null) =>
        Assert.IsType<RemoteAnswer<PushedBlob>.Found>(await PushAsync(scene, blob, source, begun)).Content;

    private static Task<RemoteAnswer<PushedBlob>> PushAsync(
        RemoteScene scene,
        TestBlob blob,
        PushSource? source = null,
        RemoteUpload? begun = null,
        Action<RemoteUpload>? reached = null,
        CancellationToken cancellationToken = default) => scene.Client.Uploads.PushAsync(
            Target,
            blob.Descriptor,
            (source ?? new PushSource(blob)).OpenAsync,
            scene.Client.StartTransfer(TransferPriority.Sync),
            begun,
            reached ?? (_ => { }),
            cancellationToken);
}
