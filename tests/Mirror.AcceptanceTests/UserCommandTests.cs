using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary><c>mirror user</c>, and the program whose files it can take the place of.</summary>
public sealed class UserCommandTests : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    private string UsersFile => _folder.Combine("htpasswd");

    public void Dispose() => _folder.Dispose();

    [FactWith("htpasswd")]
    public async Task Htpasswd_knows_the_users_that_were_added_and_the_other_way_round()
    {
        (await Command.RunAsync("htpasswd", ["-Bbc", UsersFile, "apache", "apache's"])).Succeeded();
        File.AppendAllText(UsersFile, "# people\n");

        var added = (await AddAsync("alice", "päss wörd")).Succeeded();
        var changed = (await AddAsync("apache", "another")).Succeeded();

        Assert.Equal($"alice was added to {UsersFile}\n", added.Output);
        Assert.Equal($"apache has a new password in {UsersFile}\n", changed.Output);
        Assert.Equal(0, (await Command.RunAsync("htpasswd", ["-vb", UsersFile, "alice", "päss wörd"])).ExitCode);
        Assert.Equal(0, (await Command.RunAsync("htpasswd", ["-vb", UsersFile, "apache", "another"])).ExitCode);
        Assert.Equal("apache", File.ReadLines(UsersFile).First().Split(':')[0]);
        Assert.Contains("# people", File.ReadLines(UsersFile));
        Assert.Equal("alice\napache\n", (await MirrorProcess.RunAsync("user", "list", "--file", UsersFile)).Succeeded().Output);
    }

    [Fact]
    public async Task Who_is_removed_is_gone_and_who_is_not_there_can_not_be_removed()
    {
        (await AddAsync("alice", "secret")).Succeeded();
        (await AddAsync("bob", "secret")).Succeeded();

        (await MirrorProcess.RunAsync("user", "remove", "alice", "--file", UsersFile)).Succeeded();
        var again = await MirrorProcess.RunAsync("user", "remove", "alice", "--file", UsersFile);

        Assert.Equal((1, $"mirror: there is no 'alice' in {UsersFile}\n"), (again.ExitCode, again.Error));
        Assert.Equal("[\"bob\"]\n", (await MirrorProcess.RunAsync("user", "list", "--json", "--file", UsersFile)).Succeeded().Output);
        Assert.Equal([UsersFile], Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public async Task A_name_or_a_password_that_can_not_be_one_is_refused_and_changes_nothing()
    {
        (string Name, string Password)[] wrong = [("a:b", "x"), ("", "x"), ("#a", "x"), ("*", "x"), ("anonymous", "x"), ("alice", ""), ("alice", new string('x', 73))];
        foreach (var (name, password) in wrong)
        {
            var add = await AddAsync(name, password);

            Assert.Equal((2, ""), (add.ExitCode, add.Output));
            Assert.NotEmpty(add.Error);
            Assert.DoesNotContain("   at ", add.Error, StringComparison.Ordinal);
        }

        var nowhere = await MirrorProcess.RunWithAsync("secret\n", "user", "add", "alice", "--file", _folder.Combine("none", "htpasswd"));
        Assert.Equal(1, nowhere.ExitCode);
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public async Task The_configuration_says_which_file_where_the_command_does_not()
    {
        var configuration = _folder.Combine("mirror.yml");
        File.WriteAllText(configuration, "access: { users: htpasswd }\n");

        (await MirrorProcess.RunWithAsync("secret\n", "user", "add", "alice", "-c", configuration)).Succeeded();
        File.WriteAllText(configuration, "access: { anonymous: [] }\n");
        var unsaid = await MirrorProcess.RunAsync("user", "list", "-c", configuration);

        Assert.StartsWith("alice:$2y$10$", File.ReadAllText(UsersFile), StringComparison.Ordinal);
        Assert.Equal((2, ""), (unsaid.ExitCode, unsaid.Output));
        Assert.Contains("access.users", unsaid.Error, StringComparison.Ordinal);
    }

    private Task<Command> AddAsync(string name, string password) => MirrorProcess.RunWithAsync($"{password}\n", "user", "add", name, "--file", UsersFile);
}
