using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Access;

/// <summary>The users file, as <c>htpasswd -B</c> writes it, and the passwords in it.</summary>
public sealed class UsersTests : IDisposable
{
    private readonly TemporaryDirectory _folder = new();
    private readonly RecordedLog _log = new();
    private readonly ManualTime _time = new();
    private readonly string _path;
    private readonly Logins _logins;

    public UsersTests()
    {
        _path = _folder.Combine("htpasswd");
        _logins = new Logins(new UsersFile(_path, _log.CreateLogger<UsersFile>()), new FailedLogins(_time), _time);
    }

    public void Dispose()
    {
        _logins.Dispose();
        _log.Dispose();
        _folder.Dispose();
    }

    private async Task<bool> IsRightAsync(string name, string password) =>
        await _logins.CheckAsync(address: null, name, password) is LoginAnswer.Right;

    [Theory]
    [InlineData("secret")]
    [InlineData("pässwörd with blanks: and colons")]
    [InlineData("")]
    public async Task A_password_that_was_hashed_is_right_and_no_other_is(string password)
    {
        File.WriteAllText(_path, $"# people\n\nalice:{Bcrypt.Hash(password, Bcrypt.MinCost)}\r\n");

        Assert.True(await IsRightAsync("alice", password));
        Assert.False(await IsRightAsync("alice", password + "x"));
        Assert.False(await IsRightAsync("alice", password + "\0"));
        Assert.False(await IsRightAsync("bob", password));
        Assert.False(await IsRightAsync("", password));
    }

    [Fact]
    public void A_hash_that_others_have_made_is_known()
    {
        const string Hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

        Assert.True(Bcrypt.IsHash(Hash));
        Assert.True(Bcrypt.Verify("U*U", Hash));
        Assert.False(Bcrypt.Verify("U*U*", Hash));
    }

    [Fact]
    public async Task A_password_of_any_length_is_right_or_wrong_by_what_bcrypt_looks_at()
    {
        File.WriteAllText(_path, $"alice:{Bcrypt.Hash(new string('x', Bcrypt.MaxPasswordBytes), Bcrypt.MinCost)}\n");

        foreach (var length in new[] { 73, 511, 512, 20_000 })
        {
            Assert.True(await IsRightAsync("alice", new string('x', length)));
            Assert.False(await IsRightAsync("alice", new string('y', length)));
        }
    }

    [Fact]
    public async Task A_file_that_changes_counts_at_once()
    {
        File.WriteAllText(_path, $"alice:{Bcrypt.Hash("old", Bcrypt.MinCost)}\n");
        Assert.True(await IsRightAsync("alice", "old"));

        File.WriteAllText(_path, $"alice:{Bcrypt.Hash("new one", Bcrypt.MinCost)}\nbob:{Bcrypt.Hash("bob's", Bcrypt.MinCost)}\n");
        Assert.False(await IsRightAsync("alice", "old"));
        Assert.True(await IsRightAsync("alice", "new one"));
        Assert.True(await IsRightAsync("bob", "bob's"));

        File.Delete(_path);
        Assert.False(await IsRightAsync("bob", "bob's"));
        Assert.Contains(_log.Lines, message => message.Contains("is not there", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_link_leads_to_counts_and_a_user_that_is_gone_there_is_gone_at_once()
    {
        var hash = Bcrypt.Hash("secret", Bcrypt.MinCost);
        foreach (var (folder, text) in new[] { ("1", $"alice:{hash}\nbob:{hash}\n"), ("2", $"bob:{hash}\n") })
        {
            Directory.CreateDirectory(_folder.Combine(folder));
            File.WriteAllText(_folder.Combine(folder, "htpasswd"), text);
        }

        // As Kubernetes mounts secrets: the file is a link through a folder that is a link, and that alone is swapped.
        Directory.CreateSymbolicLink(_folder.Combine("data"), "1");
        File.CreateSymbolicLink(_path, Path.Combine("data", "htpasswd"));
        Assert.True(await IsRightAsync("alice", "secret"));

        Directory.CreateSymbolicLink(_folder.Combine("new"), "2");
        Durability.Rename(_folder.Combine("new"), _folder.Combine("data"));
        Assert.False(await IsRightAsync("alice", "secret"));
        Assert.True(await IsRightAsync("bob", "secret"));

        File.Delete(_path);
        File.CreateSymbolicLink(_path, _path);
        Assert.False(await IsRightAsync("bob", "secret"));
    }

    [Theory]
    [InlineData("alice", "line 1 is no user")]
    [InlineData(":$2y$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", "line 1 is no user")]
    [InlineData("alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "what alice has for a password is no hash of bcrypt's")]
    [InlineData("alice:$apr1$x$y", "what alice has for a password is no hash of bcrypt's")]
    [InlineData("anonymous:$2y$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", "line 1: no user can be called anonymous")]
    [InlineData("*:$2y$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", "line 1: no user can be called *")]
    [InlineData("alice:plain", "what alice has for a password is no hash of bcrypt's")]
    [InlineData("alice:$2y$31$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", "what alice has for a password is no hash of bcrypt's")]
    public async Task What_is_no_user_is_named_with_its_line_and_can_not_log_in(string line, string fault)
    {
        File.WriteAllText(_path, line);

        Assert.False(await IsRightAsync("alice", "plain"));

        Assert.Contains(_log.Lines, message => message.Contains(fault, StringComparison.Ordinal));
    }
}
