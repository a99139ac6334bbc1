using Mirror.Access.Tokens;

namespace Mirror.Tests.Access;

/// <summary>The keys of our own tokens: made, kept, followed by others, and removed.</summary>
public sealed class SigningKeyTests : IDisposable
{
    private readonly TokenScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public async Task The_first_token_makes_a_key_that_only_its_owner_can_read()
    {
        _scene.Keys.Check();
        Assert.Empty(_scene.KeyFiles);

        await _scene.GetAccessAsync();

        var file = Assert.Single(_scene.KeyFiles);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_scene.Layout.Keys));
        Assert.Contains("-----BEGIN PRIVATE KEY-----", File.ReadAllText(file), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokens_survive_a_restart()
    {
        var (access, refresh) = (await _scene.GetAccessAsync(), await _scene.GetRefreshAsync());

        _scene.Restart();

        Assert.IsType<TokenAnswer.Own>(await _scene.Reader.ReadAsync(access));
        Assert.Equal("alice", await _scene.Own.FindUserAsync(refresh));
        Assert.Single(_scene.KeyFiles);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_key_signs_for_thirty_days_and_is_removed_when_its_last_token_has_ended(bool isRestarted)
    {
        await _scene.GetAccessAsync();
        var first = Assert.Single(_scene.KeyFiles);
        await AdvanceAsync(SigningKeys.Signs - TimeSpan.FromSeconds(1), isRestarted);
        var last = await _scene.GetRefreshAsync();
        Assert.Single(_scene.KeyFiles);

        await AdvanceAsync(TimeSpan.FromSeconds(1), isRestarted);
        var second = KidOf(await _scene.GetAccessAsync());
        Assert.Equal(2, _scene.KeyFiles.Length);
        Assert.NotEqual(Path.GetFileNameWithoutExtension(first), second);

        await AdvanceAsync(OwnTokens.RefreshLife - TimeSpan.FromSeconds(1), isRestarted);
        Assert.Equal("alice", await _scene.Own.FindUserAsync(last));
        Assert.True(File.Exists(first));

        await AdvanceAsync(TimeSpan.FromSeconds(62), isRestarted);
        Assert.Null(await _scene.Own.FindUserAsync(last));
        Assert.False(File.Exists(first));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("made 2026-01-01T00:00:00Z\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
    public async Task A_damaged_key_file_is_named_and_another_key_takes_its_place(string content)
    {
        var token = await _scene.GetAccessAsync();
        var file = Assert.Single(_scene.KeyFiles);
        File.WriteAllText(file, content);

        _scene.Restart();

        Assert.Equal(new TokenAnswer.Wrong("the token is signed with a key that is not known here"), await _scene.Reader.ReadAsync(token));
        Assert.IsType<TokenAnswer.Own>(await _scene.Reader.ReadAsync(await _scene.GetAccessAsync()));
        Assert.Contains(_scene.Log.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal) && line.Contains(file, StringComparison.Ordinal));
        Assert.Equal(2, _scene.KeyFiles.Length);
    }

    [Fact]
    public async Task A_key_under_another_name_or_without_its_date_is_not_taken()
    {
        var token = await _scene.GetAccessAsync();
        var file = Assert.Single(_scene.KeyFiles);
        File.WriteAllText(file, File.ReadAllText(file).Split('\n', 2)[1]);

        _scene.Restart();

        Assert.IsType<TokenAnswer.Wrong>(await _scene.Reader.ReadAsync(token));
    }

    [Fact]
    public async Task A_key_that_can_not_be_written_is_good_until_the_end_and_written_later_if_that_works()
    {
        File.WriteAllText(_scene.Layout.Keys, "a file where the folder should be");
        var token = await _scene.GetAccessAsync();
        Assert.IsType<TokenAnswer.Own>(await _scene.Reader.ReadAsync(token));
        Assert.Contains(_scene.Log.Lines, line => line.Contains("can not be written", StringComparison.Ordinal));

        File.Delete(_scene.Layout.Keys);
        _scene.Time.Advance(TimeSpan.FromMinutes(5));
        await _scene.GetAccessAsync();

        Assert.Equal(KidOf(token), Path.GetFileNameWithoutExtension(Assert.Single(_scene.KeyFiles)));
    }

    [Fact]
    public async Task What_a_crash_has_left_of_a_key_is_removed()
    {
        await _scene.GetAccessAsync();
        var left = _scene.Layout.Key("0123") + ".new";
        File.WriteAllText(left, "made 2026");

        _scene.Restart();
        await _scene.GetAccessAsync();

        Assert.False(File.Exists(left));
        Assert.Single(_scene.KeyFiles);
    }

    [Fact]
    public async Task A_start_names_keys_that_can_not_be_read()
    {
        await _scene.GetAccessAsync();
        var file = Assert.Single(_scene.KeyFiles);
        // A link to nowhere can not be read by root either.
        File.Delete(file);
        File.CreateSymbolicLink(file, _scene.Folder.Combine("nowhere"));

        _scene.Keys.Check();

        Assert.Contains(_scene.Log.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal) && line.Contains("can not be read", StringComparison.Ordinal));
    }

    [Fact]
    public async Task No_key_is_logged()
    {
        await _scene.GetAccessAsync();
        var key = File.ReadAllLines(Assert.Single(_scene.KeyFiles))[2];

        Assert.NotEmpty(_scene.Log.Lines);
        Assert.DoesNotContain(_scene.Log.Lines, line => line.Contains(key, StringComparison.Ordinal));
    }

    private async Task AdvanceAsync(TimeSpan by, bool isRestarted)
    {
        _scene.Time.Advance(by);
        if (isRestarted)
        {
            _scene.Restart();
        }

        await _scene.GetAccessAsync();
    }

    private static string? KidOf(string token) => (string?)Jws.Part(token, 0)["kid"];
}
