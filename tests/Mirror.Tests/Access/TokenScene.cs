using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Access.Tokens;
using Mirror.Configuration;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Access;

/// <summary>A data directory, a users file with alice in it, and the tokens that come of them.</summary>
internal sealed class TokenScene : IDisposable
{
    public const string Service = "mirror.test";
    public const string Password = "alice's secret";

    public static readonly Grant AskedFor = new([new Scope.Repository("team-a/app", null, Rights.Pull | Rights.Push)]);

    private readonly string _users;

    public TokenScene()
    {
        _users = Folder.Combine("htpasswd");
        Layout = new StoreLayout(Folder.Combine("data"));
        Directory.CreateDirectory(Layout.Root);
        WriteUser("alice", Password);
        Logins = new Logins(new UsersFile(_users, Log.CreateLogger<UsersFile>()), new FailedLogins(Time), Time);
        (Keys, Own, Reader) = Start();
    }

    public TemporaryDirectory Folder { get; } = new();

    public RecordedLog Log { get; } = new();

    public ManualTime Time { get; } = new();

    public StoreLayout Layout { get; }

    public Logins Logins { get; }

    public SigningKeys Keys { get; private set; }

    public OwnTokens Own { get; private set; }

    public TokenReader Reader { get; private set; }

    public string[] KeyFiles => Directory.Exists(Layout.Keys) ? Directory.GetFiles(Layout.Keys) : [];

    /// <summary>As after the process has ended and begun again.</summary>
    public void Restart() => (Keys, Own, Reader) = Start();

    public void WriteUser(string name, string password) => File.WriteAllText(_users, $"{name}:{Bcrypt.Hash(password, Bcrypt.MinCost)}\n");

    public async Task<string> GetAccessAsync(string? user = "alice", bool byCertificate = false, Grant? grant = null) =>
        (await Own.FindAccessAsync(user, byCertificate, grant ?? AskedFor))!;

    public async Task<string> GetRefreshAsync() => (await Own.FindRefreshAsync("alice"))!;

    public void Dispose()
    {
        Logins.Dispose();
        Log.Dispose();
        Folder.Dispose();
    }

    private (SigningKeys, OwnTokens, TokenReader) Start()
    {
        var keys = new SigningKeys(Layout, Time, Log.CreateLogger<SigningKeys>());
        var own = new OwnTokens(Service, keys, Logins, Time);
        return (keys, own, new TokenReader(own, foreign: null, Time));
    }
}
